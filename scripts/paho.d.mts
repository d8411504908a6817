/** The path to put on PYTHONPATH so that Python finds Eclipse Paho; fetches it where it is missing. */
export function ensurePaho(): string;
