// The account as it is right now: one stream of events, all that is known at its start, the last second with each.

const KEPT = 600;
const AGAIN_MS = 3000;

export class Stream {
  /** `tell(document, history)` after each event; `state("live" | "waiting" | "lost")` when the stream itself changes. */
  constructor({ tell, state, denied }) {
    this.tell = tell;
    this.state = state;
    this.denied = denied;
    this.source = null;
    this.timer = 0;
    this.history = null;
  }

  open(account) {
    this.close();
    this.account = account;
    this.history = null;
    this.state("waiting");
    const source = (this.source = new EventSource(`page/events?account=${encodeURIComponent(account)}`));
    source.addEventListener("snapshot", (event) => {
      const document = JSON.parse(event.data);
      this.history = document.history;
      this.state("live");
      this.tell(document, this.history);
    });
    source.addEventListener("tick", (event) => {
      const document = JSON.parse(event.data);
      if (!this.history) return;
      for (const [name, column] of Object.entries(this.history)) {
        column.push(document.point[name]);
        if (column.length > KEPT) column.shift();
      }
      this.tell(document, this.history);
    });
    source.addEventListener("error", () => {
      this.state("lost");
      if (source.readyState !== EventSource.CLOSED) return; // the browser comes back by itself
      this.timer = setTimeout(async () => {
        if (await this.denied()) this.open(account);
        else this.timer = setTimeout(() => this.open(account), AGAIN_MS);
      }, AGAIN_MS);
    });
  }

  close() {
    clearTimeout(this.timer);
    this.source?.close();
    this.source = null;
  }
}
