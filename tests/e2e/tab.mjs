// Tabs of one browser that send requests to the session's routes: at a given time, and several at once.

/** Opens a tab that has loaded `url`. Tabs of one context share their cookies, as those of a browser do. */
export async function openTab(context, url) {
  const tab = await context.newPage();
  await tab.goto(url);
  return tab;
}

/** Sends one request from the tab, after `delay` milliseconds. Returns `{ status, json }`. */
export async function send(tab, method, path, { body, headers, delay = 0 } = {}) {
  const [answer] = await sendAll(tab, [{ method, path, body, headers }], delay);
  return answer;
}

/** Sends requests from the tab, all at once. Returns their responses in the order of the requests. */
export function sendAll(tab, requests, delay = 0) {
  return tab.evaluate(async ([requests, delay]) => {
    await new Promise((resolve) => setTimeout(resolve, delay));
    return Promise.all(requests.map(async ({ method, path, body, headers }) => {
      const response = await fetch(path, { method, body: body === undefined ? undefined : JSON.stringify(body), headers });
      const text = await response.text();
      return { status: response.status, json: text === "" ? undefined : JSON.parse(text) };
    }));
  }, [requests, delay]);
}

/** The data of the session that the tab's next request loads. */
export async function data(tab) {
  return (await send(tab, "GET", "/session")).json.data;
}

/** The names of the browser's cookies, sorted. */
export async function cookieNames(context) {
  return (await context.cookies()).map(({ name }) => name).sort();
}
