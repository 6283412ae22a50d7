// Copyright: steady.rollout contributors
// GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
// An application with several instances of Unleash's own client. GET /N says which flags instance N sees for nobody in
// particular, GET /users/FLAG/COUNT for which of user-0, user-1, ... the flag is on.
const http = require("http");
const { Unleash } = require("unleash-client");

const [port, url, token, instances] = process.argv.slice(2);
const clients = Array.from({ length: Number(instances) }, (_, number) => {
  const client = new Unleash({
    url: `${url}/api/`, appName: "shop", instanceId: `shop-${number}`, refreshInterval: 500, metricsInterval: 1000,
    customHeaders: { Authorization: token }, disableMetrics: false,
  });
  client.on("error", () => {});
  client.on("warn", () => {});
  return client;
});

http.createServer((request, response) => {
  const [, first, flag, count] = request.url.split("/");
  let answer;
  if (first === "users") {
    const ids = Array.from({ length: Number(count) }, (_, number) => number);
    answer = ids.filter((id) => clients[0].isEnabled(flag, { userId: `user-${id}` }));
  } else {
    const client = clients[Number(first)];
    const flags = client.getFeatureToggleDefinitions().map(({ name }) => [name, client.isEnabled(name)]);
    answer = { flags: Object.fromEntries(flags) };
    answer.flags.checkout_v2 = client.isEnabled("checkout_v2");
  }
  response.setHeader("Content-Type", "application/json");
  response.end(JSON.stringify(answer));
}).listen(Number(port), "127.0.0.1");
