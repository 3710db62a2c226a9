/** `preset: "makeparallel"`: jest looks for `makeparallel/jest-preset`. All TypeScript and JavaScript goes through the transform. */
const preset: { testEnvironment: string; transform: Record<string, [path: string, options: object]> } = {
  testEnvironment: "node",
  transform: { "\\.[cm]?[jt]sx?$": [require.resolve("./jest"), {}] },
};

export default preset;
