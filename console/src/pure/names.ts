/** Names and addresses that forms suggest, and what they say about the ones that were given. */

/** As the platform writes a name in addresses: lower case letters, digits, single hyphens. */
export function slug(name: string): string {
  return name
    .normalize("NFKD")
    .replace(/[\u0300-\u036f]/g, "")
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-+|-+$/g, "")
    .slice(0, 63)
    .replace(/-+$/, "");
}

/** The provider of a Git address by its host; addresses of unknown hosts are treated as GitHub-compatible. */
export function providerOf(url: string): "GITHUB" | "GITLAB" | "BITBUCKET" | "SLIPWAY" {
  const host = /^(?:https?:\/\/)?(?:[^@/]*@)?([^/:]+)/i.exec(url)?.[1]?.toLowerCase() ?? "";
  if (/\/git\/[^/]+\/[^/]+\.git$/.test(url) && url.startsWith(location.origin)) return "SLIPWAY";
  if (host.includes("gitlab")) return "GITLAB";
  if (host.includes("bitbucket")) return "BITBUCKET";
  return "GITHUB";
}

/** `https://github.com/ada/engine.git` → `engine`. */
export const repositoryName = (url: string): string => slug(url.replace(/\/+$/, "").replace(/\.git$/i, "").split(/[/:]/).pop() ?? "");

/** Why an address can't be a Git repository's, in one sentence; nothing when it can. */
export function gitUrlProblem(url: string): string | undefined {
  const text = url.trim();
  if (text === "") return undefined;
  if (/\s/.test(text)) return "An address has no spaces.";
  if (text.startsWith("-")) return "An address doesn't start with a dash.";
  if (/^git@|^ssh:\/\//i.test(text)) return "Use the https address of the repository; SSH keys are not supported.";
  if (!/^https?:\/\/[^/]+\/.+/i.test(text)) return "Give the whole address, for example https://github.com/you/repository.git";
  if (/^https?:\/\/[^/@]*:[^/@]*@/i.test(text)) return "Leave user and password out of the address; use a Git token instead.";
  return undefined;
}

/** Why a variable's key can't be one; nothing when it can. */
export function keyProblem(key: string): string | undefined {
  if (key === "") return undefined;
  if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(key)) return "Letters, digits and _ only, not starting with a digit.";
  if (/^(QOVERY_|SLIPWAY_|__)/.test(key)) return "Names that begin with QOVERY_, SLIPWAY_ or __ are the platform's own.";
  return undefined;
}

export interface Pair {
  key: string;
  value: string;
}

/** The variables in the text of a `.env` file: comments, `export`, quotes and escapes as shells and dotenv read them. */
export function parseDotenv(text: string): Pair[] {
  const pairs: Pair[] = [];
  const line = /^[ \t]*(?:export[ \t]+)?([A-Za-z_][\w.]*)[ \t]*=[ \t]*(?:"((?:\\.|[^"\\])*)"|'([^']*)'|`([^`]*)`|([^\r\n]*))/gm;
  for (const [, key = "", double, single, back, plain] of text.matchAll(line)) {
    const bare = plain?.replace(/[ \t]+#.*$/, "").trim();
    const value = double !== undefined ? unescaped(double) : (single ?? back ?? bare ?? "");
    pairs.push({ key, value });
  }
  return pairs;
}

const ESCAPES: Record<string, string> = { n: "\n", r: "\r", t: "\t" };
const unescaped = (text: string): string => text.replace(/\\(.)/gs, (_, letter: string) => ESCAPES[letter] ?? letter);

/** Names of processes without what they all begin with: what tells them apart is at their end. */
export function endings(names: string[]): Map<string, string> {
  const unique = [...new Set(names)];
  const [first = ""] = unique;
  let same = unique.length > 1 ? first.length : 0;
  for (const name of unique) while (!name.startsWith(first.slice(0, same))) same--;
  const whole = unique.some((name) => name.length === same);
  return new Map(unique.map((name) => [name, whole ? name : name.slice(same)]));
}
