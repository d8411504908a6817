export const hivemqVersion: string;
export const hivemqFolder: string;
export const mochiVersion: string;
export const mochiFile: string;
