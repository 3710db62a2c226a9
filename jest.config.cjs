/** @type {import("jest").Config} */
module.exports = {
  rootDir: __dirname,
  testEnvironment: "node",
  testMatch: ["<rootDir>/tests/**/*.test.ts"],
  // Fixtures and packed projects hold package.json files of their own, and build outputs hold copies of them.
  modulePathIgnorePatterns: [
    "<rootDir>/dist/",
    "<rootDir>/target/",
    "<rootDir>/.tmp/",
    "<rootDir>/fixtures/",
    "<rootDir>/examples/",
    "<rootDir>/benchmarks/",
  ],
  transform: { "\\.[cm]?tsx?$": "<rootDir>/scripts/jest-transform.cjs" },
  // Tests start processes and worker threads of their own; more jest workers than this only make timings worse.
  maxWorkers: 2,
  testTimeout: 60_000,
  watchman: false,
};
