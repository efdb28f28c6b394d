"""Where data comes from: TradingView's WebSocket, its sign-in and its search."""
