// Runs before anything is drawn, so that the page does not flash in the wrong light.
"use strict";
(() => {
  const KEY = "dispatcher-theme";
  let kept = "";
  try {
    kept = localStorage.getItem(KEY) || "";
  } catch {
    // storage is switched off: the system's choice counts
  }
  const apply = (theme) => {
    if (theme) document.documentElement.dataset.theme = theme;
    else delete document.documentElement.dataset.theme;
  };
  apply(kept);
  window.pageTheme = {
    get: () => kept,
    set: (theme) => {
      kept = theme;
      try {
        localStorage.setItem(KEY, theme);
      } catch {
        // it lasts as long as the page then
      }
      apply(theme);
      window.dispatchEvent(new Event("themechange"));
    },
  };
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => window.dispatchEvent(new Event("themechange")));
})();
