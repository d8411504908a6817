/** Whether dist holds what src and cluster hold now. */
export function isFresh(): boolean;
/** Compiles src and cluster into dist unless it is fresh. Throws with the compiler's words when that fails. */
export function build(): void;
