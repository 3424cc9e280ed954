// Random settings, under which Django's and ours are the same or differ only as the list of differences says.

export function someSettings(random) {
  const settings = {};
  if (random.happens(0.6)) Object.assign(settings, sameCookie(random));
  if (random.happens(0.3)) settings.saveEveryRequest = true;
  if (random.happens(0.2)) settings.expireAtBrowserClose = true;
  if (random.happens(0.5)) settings.cookieAge = random.pick([1, 60, 100, 3600, 86_400, 40_000_000]);
  if (random.happens(0.15)) settings.absoluteAge = random.pick([30, 120, 5000]);
  return settings;
}

/** All attributes of the cookie, so that no default applies. */
function sameCookie(random) {
  const settings = { cookieSecure: random.happens(0.7), cookieHttpOnly: random.happens(0.7) };
  if (random.happens(0.3)) settings.cookieDomain = random.pick(["example.com", "sub.example.com"]);
  if (random.happens(0.3)) settings.cookiePath = random.pick(["/app", "/a b/c"]);
  if (random.happens(0.6)) settings.cookieSameSite = random.pick(settings.cookieSecure ? ["Lax", "Strict", "None"] : ["Lax", "Strict"]);
  else if (random.happens(0.2)) settings.cookieSameSite = false;
  const hostOnly = !settings.cookieDomain && !settings.cookiePath;
  const prefixed = hostOnly ? ["__Host-sid", "__Secure-sid"] : ["__Secure-sid"];
  settings.cookieName = random.pick(["sessionid", "sid", ...(settings.cookieSecure ? prefixed : [])]);
  return settings;
}
