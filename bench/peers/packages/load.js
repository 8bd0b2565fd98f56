/**
 * Imports one of the packages that package.json beside this file names. They are installed only where their rows run, so
 * nothing is known of their types.
 * @param {string} name
 * @returns {Promise<any>}
 */
export function load(name) {
  return import(name);
}
