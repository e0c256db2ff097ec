/** @internal t and τ where nobody says otherwise. */
export const attentionDefaults = { threshold: 0.3, tau: 0.1 } as const;

/** @internal What τ may be: beyond it a float32 sigmoid is a step, or flat. */
export const tauRange = { min: 1e-6, max: 1e6 } as const;
