// The entry of the server's page and of the static page.
import "./style.css";
import { mount } from "./app";
import { element } from "./dom";
import { Programs } from "./programs";
import { type Connection, socketEngine } from "./socket";
import { StaticEngine } from "./static_engine";

const SENTENCES: Record<Connection, string> = {
  open: "",
  silent:
    "The server does not answer. Run `lecture-optax lab` again, and open the address that it prints: " +
    "what stands behind # in this one may be added to it. This page tries again every 2 seconds.",
  refused:
    "Another lab runs here now. Open the address that it printed: this page goes on then, with the " +
    "settings that stand in its address behind #.",
};

const SCRIPT = (document.currentScript as HTMLScriptElement).src;

for (const root of document.querySelectorAll<HTMLElement>("[data-lab]")) {
  if (root.dataset.lab === "server") mountServer(root);
  else mountStatic(root);
}

function mountStatic(root: HTMLElement): void {
  const engine = new StaticEngine(Programs.beside(SCRIPT));
  globalThis.lectureOptaxLab = { engine }; // tests ask it
  mount(root, engine, { share: true, compact: false });
}

function mountServer(root: HTMLElement): void {
  const notice = element("p", { class: "lo-lab lo-notice", role: "alert" });
  root.append(notice); // above the lab: it stays in view
  const engine = socketEngine(location, (now) => {
    if (notice.textContent !== SENTENCES[now]) notice.textContent = SENTENCES[now];
    root.classList.toggle("lo-silent", now !== "open");
  });
  mount(root, engine, { share: true, compact: false });
}
