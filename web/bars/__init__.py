"""Bars as answers: from caches, stores and shorter bars, as JSON or as files.

A request for JSON passes these layers; each falls back to the one below it:

    GET ohlcv
      │  ohlcv          key of the query
      ▼
    fresh_tokens        the valid token            Redis publishes writes; it is read once a second
      ▼
    local_cache         the encoded answer         in this process (32 MB), then in Redis for all
      ▼  miss
    chunk_cache         chunk ids and chunks       of history, decoded, with the JSON of each bar
      ▼  miss, or the window may touch live bars
    stored_bars         history and live bars      joined as they are in MongoDB now
      ▼  none stored
    resampled           made of shorter bars
                                                   on the way out:
    live_forming        the forming bar            of the quote board, looked up twice a second
    answers             ETag, 304, gzip            compressed once, the forming bar joined to it

The processor time of web without a layer, against that with it (2026-11-27, medians of turns):

    fresh_tokens       1.5    304 and gzip: a round trip to Redis for each request
    local_cache        1.5    cached, 1000 bars; 2.7 for 5000: each answer comes from Redis
    answers in Redis   3.8    the first request of another process: computed from MongoDB
    chunk_cache        2.4    cold, 1000 bars; without the JSON rows of chunks alone it is 1.9
    live_forming       1.5    304: a round trip to Redis for each request
    compressed parts   2.7    cached with gzip: each answer is compressed anew

`exports` write files, whose bars pass no cache.
"""
