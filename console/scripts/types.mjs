// Writes src/api/openapi.d.ts from the OpenAPI document of a running platform.
// openapi-typescript is fetched when used, so that building the console doesn't install it.
import { spawnSync } from "node:child_process";

const platform = process.env.SLIPWAY_PUBLIC_URL ?? "http://localhost:8080";
const command = ["--yes", "openapi-typescript@7.13.0", `${platform}/api/openapi.json`, "-o", "src/api/openapi.d.ts"];
process.exitCode = spawnSync("npx", command, { stdio: "inherit" }).status ?? 1;
