// The entry of the server's page and of the static page.
import "./style.css";
import { mount } from "./app";
import { element } from "./dom";
import { Programs } from "./programs";
import { socketEngine } from "./socket";
import { StaticEngine } from "./static_engine";

const STOPPED =
  "The server does not answer. Run `lecture-optax lab` again, and open the address that it prints: " +
  "what stands behind # in this one may be added to it. This page tries again every 2 seconds.";

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
  root.append(notice);
  const engine = socketEngine(location, (isOpen) => {
    notice.textContent = isOpen ? "" : STOPPED;
  });
  mount(root, engine, { share: true, compact: false });
}
