// grammY behind its transformer-throttler, with auto-retry outside of it: `grammy_throttler.cjs default|tuned`.
// An errand of one line of JSON on standard input; says `warm`, waits for a line, sends, says `sent`, waits for its end.
"use strict";
const readline = require("node:readline");
const { Api } = require("grammy");
const { apiThrottler } = require("@grammyjs/transformer-throttler");
const { autoRetry } = require("@grammyjs/auto-retry");

const TEXT = "We meet at noon, Group.";
// What its documented options can do against strict windows and round trips of 20-80 ms: 31 sends come to more than
// a second, two to a group too, and a group's twenty of the next minute begin after this one's have left the window.
const TUNED = {
  global: { minTime: 35.5 },
  group: {
    maxConcurrent: 1, minTime: 1070, reservoir: 20, reservoirRefreshAmount: 20, reservoirRefreshInterval: 60_250,
  },
};

async function main(kind) {
  const lines = readline.createInterface({ input: process.stdin })[Symbol.asyncIterator]();
  const errand = JSON.parse((await lines.next()).value);
  const bots = Object.entries(errand.bots).map(([token, chats]) => {
    const api = new Api(token, { apiRoot: errand.url });
    api.config.use(kind === "tuned" ? apiThrottler(TUNED) : apiThrottler());
    api.config.use(autoRetry()); // used last, so it is outside: what is sent again waits for its turn
    return { api, chats };
  });
  const send = (orders) => Promise.all(orders.flatMap(({ api, to }) => to.map((chat) => api.sendMessage(chat, TEXT))));

  await send(bots.map(({ api, chats }) => ({ api, to: chats.warm })));
  console.log("warm");
  await lines.next();
  await send(bots.map(({ api, chats }) => ({ api, to: Array(errand.each).fill(chats.chats).flat() })));
  console.log("sent");
}

main(process.argv[2]);
