// Drives the simulation with grammY, a client of another language, and prints what it saw.
import { createRequire } from "node:module";
import path from "node:path";

const require = createRequire(path.join(process.env.NODE_MODULES, "x.js"));
const { Bot, InputFile, GrammyError } = require("grammy");

const user = Number(process.argv[2]);
const bot = new Bot(process.env.BOT_TOKEN, { client: { apiRoot: process.env.API_ROOT } });
const seen = {};

async function refusal(call) {
  try {
    await call;
  } catch (error) {
    if (error instanceof GrammyError) return error;
    throw error;
  }
  throw new Error("the call should have been refused");
}

await bot.init();
seen.username = bot.botInfo.username;
const sent = await bot.api.sendMessage(user, "<b>hi</b>", { parse_mode: "HTML" });
seen.bold = sent.entities[0].type;
seen.blockedCode = (await refusal(bot.api.sendMessage(42, "x"))).error_code;
const hook = "http://127.0.0.1:9/hook";
await bot.api.setWebhook(hook);
seen.retryAfter = (await refusal(bot.api.setWebhook(hook))).parameters.retry_after;
await bot.api.deleteWebhook();
const photo = await bot.api.sendPhoto(user, new InputFile(Buffer.from("12345"), "p.png"), { caption: "c" });
seen.fileSize = photo.photo.at(-1).file_size;
bot.command("start", async (context) => {
  await context.reply("hello");
  seen.answered = context.match;
  await bot.stop();
});
await bot.start({ onStart: () => console.log("polling") });
console.log(JSON.stringify(seen));
