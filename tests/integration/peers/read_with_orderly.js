// Reads UDF with npm's @orderly.network/trading-view, which has TradingView's own client of it, changed only in
// the path of the server. What draws its charts is not loaded.
//
// The argument is the URL. Standard input has a JSON list of requests; standard output gets the answer to each:
//   ["config"]                                          the server's configuration
//   ["scroll", symbol, resolution, to, count]           the bars of each page back to the beginning, newest page first
//   ["range", symbol, resolution, from, to]             the bars of a range, and what the client learned beside them
//   ["error", symbol, resolution]                       the text of the error

const Module = require('module');
const path = require('path');

const load = Module._load;
const anything = new Proxy(function () {}, { get: (_, name) => (name === '__esModule' ? false : anything), apply: () => anything });
Module._load = (name, ...rest) => (/^(react|@orderly\.network)/.test(name) ? anything : load(name, ...rest));
const { Datafeed } = require(path.join(process.env.PEERS, 'package'));

const [url] = process.argv.slice(2);
const get = globalThis.fetch;
globalThis.fetch = (asked, options) => get(asked.replace(`${url}/tv/`, `${url}/`), options);

const bars = (feed, ticker, resolution, period) => new Promise((resolve, reject) => {
  feed.getBars({ ticker, currency_code: 'USD' }, resolution, period, (found, meta) => resolve({ found, meta }), reject);
});
const rows = (found) => found.map((bar) => [bar.time / 1000, bar.open, bar.high, bar.low, bar.close, bar.volume]);

async function scroll(feed, ticker, resolution, to, countBack) {
  const pages = [];
  for (let end = to; ;) {
    const { found, meta } = await bars(feed, ticker, resolution, { from: end - 1, to: end, countBack, firstDataRequest: !pages.length });
    if (meta.noData) return { pages, meta };
    pages.push(rows(found));
    end = found[0].time / 1000;
  }
}

async function range(feed, ticker, resolution, from, to) {
  const { found, meta } = await bars(feed, ticker, resolution, { from, to });
  return { rows: rows(found), meta };
}

const kinds = {
  config: (feed) => new Promise((resolve) => { feed.onReady(resolve); }),
  scroll,
  range,
  error: (feed, ticker, resolution) => bars(feed, ticker, resolution, { from: 0, to: 1 }).catch(String),
};

async function main() {
  let text = '';
  for await (const piece of process.stdin) text += piece;
  const feed = new Datafeed(url, { on() {}, subscribe() {} });
  const answers = [];
  for (const [kind, ...parameters] of JSON.parse(text)) answers.push(await kinds[kind](feed, ...parameters));
  process.stdout.write(JSON.stringify(answers));
}

main().catch((error) => { console.error(error); process.exit(1); });
