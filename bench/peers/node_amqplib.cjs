// The peer to beat: node's http and amqplib's confirm channel, 200 when the broker has confirmed.
"use strict";
const http = require("node:http");
const crypto = require("node:crypto");
const amqp = require("amqplib");

const { AMQP_URL, BENCH_PATH, BENCH_PORT, BENCH_QUEUE, BENCH_SECRET } = process.env;
const secret = Buffer.from(BENCH_SECRET);

function proves(header) {
  const given = Buffer.from(header || "");
  return given.length === secret.length && crypto.timingSafeEqual(given, secret);
}

function answer(response, status) {
  response.writeHead(status, { "Content-Length": 0 });
  response.end();
}

async function main() {
  const connection = await amqp.connect(AMQP_URL);
  const channel = await connection.createConfirmChannel();
  const options = { persistent: true, mandatory: true, contentType: "application/json" };

  const server = http.createServer((request, response) => {
    if (request.method !== "POST" || request.url !== BENCH_PATH) return answer(response, 404);
    if (!proves(request.headers["x-telegram-bot-api-secret-token"])) return answer(response, 401);
    const parts = [];
    request.on("data", (part) => parts.push(part));
    request.on("end", () => {
      const body = Buffer.concat(parts);
      try {
        if (!Number.isInteger(JSON.parse(body).update_id)) return answer(response, 400);
      } catch {
        return answer(response, 400);
      }
      channel.sendToQueue(BENCH_QUEUE, body, options, (error) => answer(response, error ? 503 : 200));
    });
  });
  server.listen(Number(BENCH_PORT), "127.0.0.1");
}

main();
