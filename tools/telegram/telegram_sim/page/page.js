// Saves reloading: sends forms in the background and shows what bots answer as it comes.
"use strict";

const chat = document.getElementById("chat");
const PAUSE = 700; // milliseconds between looks
let shown = "";

async function refresh() {
  const answer = await fetch(chat.dataset.source);
  const fresh = await answer.text();
  if (!answer.ok || fresh === shown) return;
  const atEnd = chat.scrollHeight - chat.scrollTop - chat.clientHeight < 80;
  shown = fresh;
  chat.innerHTML = fresh;
  if (atEnd) chat.scrollTop = chat.scrollHeight;
}

async function look() {
  try {
    if (!document.hidden) await refresh();
  } catch {
    // The server is away; the next look may find it again.
  }
  setTimeout(look, PAUSE);
}

document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (!form.action.endsWith("/page/say") && !form.action.endsWith("/page/press")) return;
  event.preventDefault();
  const body = new URLSearchParams(new FormData(form, event.submitter));
  const box = form.querySelector("input[name=text]");
  if (box) box.value = "";
  chat.scrollTop = chat.scrollHeight;
  await fetch(form.action, { method: "POST", body });
  await refresh();
});

// On a phone the lists would fill the screen, and are needed only until there is somebody to write to.
const narrow = window.matchMedia("(max-width: 44rem)").matches;
if (narrow && document.querySelector(".writer")) document.querySelector(".side").open = false;
chat.scrollTop = chat.scrollHeight;
look();
