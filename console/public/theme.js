// Runs before the first paint, so that a chosen theme doesn't flash. A file of its own: the page has no inline script.
(function () {
  try {
    var theme = localStorage.getItem("slipway.theme");
    if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
  } catch {
    // storage may be forbidden; then the system's theme holds
  }
})();
