// Reads with npm's @mathieuc/tradingview, unmodified but for the URL of its WebSocket.
//
// The argument is the URL. Standard input has a JSON list of requests; standard output gets the answer to each:
//   ["bars", symbol, timeframe, range, to, more, options]   the bars, oldest first, after requests for more
//   ["live", symbol, bars]                                  the bars after so many have begun, beside a study
//   ["quotes", symbol, count]                               so many states of a quote

const path = require('path');

const peers = path.join(process.env.PEERS, 'node_modules');
const [url] = process.argv.slice(2);
const websocket = require.resolve('ws', { paths: [peers] });
const WebSocket = require(websocket);
require.cache[websocket].exports = class extends WebSocket {
  constructor(_, options) { super(url, options); }
};
const TradingView = require(path.join(peers, '@mathieuc/tradingview'));

const failing = (thing, reject) => thing.onError((...words) => reject(new Error(words.join(' '))));

const rows = (chart) => chart.periods.reverse()
  .map((each) => [each.time, each.open, each.max, each.min, each.close, each.volume]);

function bars(client, symbol, timeframe, range, to, more, options) {
  return new Promise((resolve, reject) => {
    const chart = new client.Session.Chart();
    const remaining = [...more];
    failing(chart, reject);
    chart.onUpdate(() => {
      if (remaining.length) chart.fetchMore(remaining.shift());
      else { resolve({ rows: rows(chart), infos: chart.infos }); chart.delete(); }
    });
    chart.setMarket(symbol, { timeframe, range, to: to || undefined, ...options });
  });
}

function live(client, symbol, begun) {
  return new Promise((resolve, reject) => {
    const chart = new client.Session.Chart();
    let first = null;
    let study = null;
    let completed = 0;
    failing(chart, reject);
    chart.onUpdate(() => {
      const times = chart.periods.map((each) => each.time);
      if (study === null) {
        [first] = times;
        study = new chart.Study(new TradingView.BuiltInIndicator('Volume@tv-basicstudies-241'));
        failing(study, reject);
        study.onReady(() => { completed += 1; });
      } else if (times.filter((time) => time > first).length >= begun) {
        resolve({ rows: rows(chart), completed });
        chart.delete();
      }
    });
    chart.setMarket(symbol, { timeframe: '1', range: 5 });
  });
}

function quotes(client, symbol, count) {
  return new Promise((resolve, reject) => {
    const session = new client.Session.Quote({ fields: 'all' });
    const market = new session.Market(symbol);
    const states = [];
    failing(market, reject);
    market.onData((data) => {
      states.push(data);
      if (states.length === count) { resolve(states); session.delete(); }
    });
  });
}

async function main() {
  let text = '';
  for await (const piece of process.stdin) text += piece;
  const client = new TradingView.Client();
  const kinds = { bars, live, quotes };
  const answers = [];
  for (const [kind, ...parameters] of JSON.parse(text)) {
    answers.push(await kinds[kind](client, ...parameters));
  }
  await client.end();
  process.stdout.write(JSON.stringify(answers));
}

main().catch((error) => { console.error(error); process.exit(1); });
