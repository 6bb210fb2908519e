/** The colours of the terminal: it draws on a canvas of its own and reads no CSS. The same hues as in the logs. */

import type { ITheme } from "@xterm/xterm";

export const LIGHT: ITheme = {
  background: "#fbfcfc", foreground: "#14181d", cursor: "#1b5e8c", cursorAccent: "#ffffff", selectionBackground: "#bfe0f5",
  black: "#2b323a", red: "#b3261e", green: "#17703d", yellow: "#835000", blue: "#1f5fae", magenta: "#8a3a9c", cyan: "#0d6b77", white: "#535e69",
  brightBlack: "#616c77", brightRed: "#c2372e", brightGreen: "#1b7d45", brightYellow: "#8f5a00", brightBlue: "#2a6dc2", brightMagenta: "#9b49ad", brightCyan: "#117a87", brightWhite: "#14181d",
};

export const DARK: ITheme = {
  background: "#0a0d0f", foreground: "#e6eaee", cursor: "#5cb3e6", cursorAccent: "#07141d", selectionBackground: "#1d4f70",
  black: "#8d99a5", red: "#f28b82", green: "#66cc91", yellow: "#e0b252", blue: "#7cb7f7", magenta: "#d59be3", cyan: "#5fc9d6", white: "#d0d6dc",
  brightBlack: "#8a96a2", brightRed: "#ff9f96", brightGreen: "#7fdca6", brightYellow: "#f0c770", brightBlue: "#9ac9ff", brightMagenta: "#e4b3ef", brightCyan: "#84dde8", brightWhite: "#ffffff",
};
