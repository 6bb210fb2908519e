/** What a button does, as a command to copy. Names from users are quoted for a POSIX shell. */

const PLAIN = /^[A-Za-z0-9_@%+=:,./-]+$/;

export const quoted = (argument: string): string =>
  PLAIN.test(argument) ? argument : `'${argument.replaceAll("'", `'\\''`)}'`;

export const command = (...words: string[]): string => ["slipway", ...words.filter((word) => word !== "").map(quoted)].join(" ");
