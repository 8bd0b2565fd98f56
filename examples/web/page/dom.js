/** Elements of index.html. */

/**
 * The element of this id.
 *
 * @template {Element} T
 * @param {string} id
 * @param {new () => T} type
 * @returns {T}
 */
export function element(id, type) {
  const found = document.getElementById(id);
  if (found instanceof type) return found;
  throw new Error(`There is no ${type.name} #${id}`);
}

/**
 * A copy of what is in a template, and a way to its parts by their class.
 *
 * @param {string} id of the template
 */
export function fromTemplate(id) {
  const copy = element(id, HTMLTemplateElement).content.firstElementChild?.cloneNode(true);
  if (!(copy instanceof HTMLElement)) throw new Error(`#${id} is empty`);
  /**
   * @template {Element} T
   * @param {string} selector
   * @param {new () => T} type
   * @returns {T}
   */
  const part = (selector, type) => {
    const found = copy.querySelector(selector);
    if (found instanceof type) return found;
    throw new Error(`There is no ${selector} in #${id}`);
  };
  return { root: copy, part };
}

/**
 * Has a screen reader say this.
 *
 * @param {string} text
 */
export function announce(text) {
  element("announcer", HTMLElement).textContent = text;
}
