/**
 * The folder of the runtime's code: of this module, and of the bundles that the build makes of it (scripts/lib/runtime-bundles.mjs).
 *
 * Nothing else may ask for `__dirname`: in a bundle that is the bundle's folder, wherever the module stood.
 */
export const OWN_FOLDER = __dirname;
