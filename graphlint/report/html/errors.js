"use strict";
// Errors leave a mark on the page, where a test (or a reader of the source) finds them.
const failed = (what) => { document.documentElement.dataset.error = String(what); };
addEventListener("error", (event) => failed(event.message));
addEventListener("unhandledrejection", (event) => failed(event.reason));
addEventListener("securitypolicyviolation", (event) => failed(event.violatedDirective));
