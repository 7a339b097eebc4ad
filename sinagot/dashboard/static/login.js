// The token comes behind "#", which browsers never send; it is handed over once, and taken off the address.
"use strict";
const found = new URLSearchParams(location.hash.slice(1)).get("token");
if (found) {
  history.replaceState(null, "", location.pathname + location.search);
  document.getElementById("token").value = found;
  document.getElementById("login").submit();
}
