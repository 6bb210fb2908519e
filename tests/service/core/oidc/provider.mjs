// npm's oidc-provider for tests: node provider.mjs PORT JWKS-JSON. Who logs in is what the header X-Account says, with
// the claims that PUT /accounts gave; everybody consents to everything.
import { createServer } from "node:http";
import { Provider } from "oidc-provider";

const [port, jwks] = [Number(process.argv[2]), JSON.parse(process.argv[3])];
const issuer = `http://127.0.0.1:${port}`;
const accounts = new Map();

const provider = new Provider(issuer, {
  jwks,
  clients: [
    {
      client_id: "console",
      token_endpoint_auth_method: "none",
      redirect_uris: ["http://localhost:8080/api/login/oidc/callback"],
      grant_types: ["authorization_code", "urn:ietf:params:oauth:grant-type:device_code"],
    },
    {
      client_id: "secretive",
      client_secret: "s e+c/r:et",
      redirect_uris: ["http://localhost:8080/api/login/oidc/callback"],
      grant_types: ["authorization_code"],
    },
  ],
  pkce: { required: () => true },
  claims: { openid: ["sub"], email: ["email", "email_verified"], profile: ["name"] },
  features: { devInteractions: { enabled: false }, deviceFlow: { enabled: true } },
  interactions: { url: (_ctx, interaction) => `/interaction/${interaction.uid}` },
  cookies: { keys: ["only for tests"] },
  findAccount: (_ctx, id) => ({ accountId: id, claims: async () => ({ sub: id, ...accounts.get(id) }) }),
});

async function interact(request, response) {
  const details = await provider.interactionDetails(request, response);
  const { prompt, params, session } = details;
  if (prompt.name === "login") {
    const result = { login: { accountId: request.headers["x-account"] } };
    return provider.interactionFinished(request, response, result, { mergeWithLastSubmission: false });
  }
  const grant = new provider.Grant({ accountId: session.accountId, clientId: params.client_id });
  grant.addOIDCScope(params.scope);
  const result = { consent: { grantId: await grant.save() } };
  return provider.interactionFinished(request, response, result, { mergeWithLastSubmission: true });
}

async function learn(request, response) {
  let text = "";
  for await (const chunk of request) text += chunk;
  for (const [id, claims] of Object.entries(JSON.parse(text))) accounts.set(id, claims);
  response.writeHead(204).end();
}

const handle = provider.callback();
const server = createServer((request, response) => {
  const answer = request.url.startsWith("/interaction/") ? interact : request.url === "/accounts" ? learn : handle;
  Promise.resolve(answer(request, response)).catch((error) => response.writeHead(500).end(String(error)));
});
server.listen(port, "127.0.0.1");
