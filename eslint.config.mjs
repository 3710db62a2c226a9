import js from "@eslint/js";
import globals from "globals";
import tseslint from "typescript-eslint";

export default tseslint.config(
  {
    ignores: [
      "**/dist/",
      "**/build/",
      "**/target/",
      "**/.tmp/",
      "**/.cache/",
      "**/coverage/",
      "fixtures/",
      "**/*.generated.*",
      "runtime-native/*.js",
      "runtime-native/*.d.ts",
    ],
  },
  js.configs.recommended,
  ...tseslint.configs.recommended,
  {
    languageOptions: { ecmaVersion: 2024, globals: globals.node },
    linterOptions: { reportUnusedDisableDirectives: "error" },
    rules: {
      eqeqeq: ["error", "always", { null: "ignore" }],
      "no-console": "off",
      "prefer-const": "error",
      "no-var": "error",
      "object-shorthand": ["error", "properties"],
      // In constraints and in the standard signatures that are implemented here (`then`, decorators), `any` is the type that is meant.
      "@typescript-eslint/no-explicit-any": "off",
      "@typescript-eslint/no-unused-vars": ["error", { argsIgnorePattern: "^_", varsIgnorePattern: "^_", caughtErrors: "none" }],
      // Functions are stored and passed as what they are here; a narrower type would say nothing more.
      "@typescript-eslint/no-unsafe-function-type": "off",
    },
  },
  {
    files: ["**/*.cjs"],
    languageOptions: { sourceType: "commonjs" },
    rules: { "@typescript-eslint/no-require-imports": "off" },
  },
  {
    // Tests hold the odd values that programs hold: sparse arrays, control characters.
    files: ["tests/**"],
    rules: { "no-sparse-arrays": "off", "no-control-regex": "off" },
  },
  {
    // The two compiled projects are linted with types: forgotten promises and the like are what a scheduler dies of.
    files: ["runtime-ts/src/**/*.ts", "transformer/src/**/*.ts"],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      "@typescript-eslint/no-floating-promises": "error",
      "@typescript-eslint/no-misused-promises": "error",
      "@typescript-eslint/await-thenable": "error",
      "@typescript-eslint/consistent-type-imports": ["error", { fixStyle: "separate-type-imports", disallowTypeAnnotations: false }],
      "@typescript-eslint/switch-exhaustiveness-check": ["error", { considerDefaultExhaustiveForUnions: true }],
      // Loading on demand (a backend, the host's own compiler) is what CommonJS output is for.
      "@typescript-eslint/no-require-imports": "off",
    },
  },
  {
    files: ["runtime-ts/src/**/*.ts"],
    rules: {
      "no-restricted-globals": [
        "error",
        ...[
          "setTimeout",
          "clearTimeout",
          "setInterval",
          "clearInterval",
          "setImmediate",
          "clearImmediate",
          "queueMicrotask",
          "performance",
        ].map((name) => ({ name, message: "Tests replace it by a fake one: take it from own-clock.ts." })),
      ],
      "no-restricted-properties": [
        "error",
        ...["nextTick", "hrtime"].map((property) => ({
          object: "process",
          property,
          message: "Tests replace it by a fake one: take it from own-clock.ts.",
        })),
      ],
    },
  },
);
