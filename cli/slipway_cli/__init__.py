"""The `slipway` command: the everyday verbs against any Slipway, and the platform on this machine (`local/`)."""
