"""Lists of <select> elements that a mouse can use.

Chromium draws the list of a native <select> in a window of its own. Injected mouse events never reach that window, and
it is missing from screenshots with a device scale other than 1. So, the moment before a list opens, this script turns
the element into a `base-select`: Chromium's own list, drawn inside the page. The closed element keeps its look.
It needs Chromium 135 or newer; in older ones lists work by keyboard only.
"""

SELECT_SCRIPT = """
(() => {
  if (!CSS.supports('appearance', 'base-select')) return;
  const kept = ['width', 'height', 'margin', 'padding', 'border', 'border-radius', 'background-color', 'color',
    'font', 'line-height', 'letter-spacing', 'text-align', 'vertical-align'];
  const picker = new CSSStyleSheet();
  picker.replaceSync('select::picker(select) { appearance: base-select }');
  const styles = new WeakMap();

  const restore = event => {
    const select = event.currentTarget;
    // Inside an open list the focus goes from option to option.
    if (select.contains(event.relatedTarget) || select.matches(':open')) return;
    const style = styles.get(select);
    styles.delete(select);
    select.removeEventListener('focusout', restore);
    if (style === null) select.removeAttribute('style'); else select.setAttribute('style', style);
  };

  const prepare = event => {
    const select = event.composedPath().find(node => node instanceof HTMLSelectElement);
    if (!select || select.multiple || select.size > 1 || select.disabled || styles.has(select)) return;
    styles.set(select, select.getAttribute('style'));
    select.addEventListener('focusout', restore);
    const root = select.getRootNode();
    if (!root.adoptedStyleSheets.includes(picker)) root.adoptedStyleSheets.push(picker);
    const computed = getComputedStyle(select);
    const box = [select.offsetWidth + 'px', select.offsetHeight + 'px'];
    const look = kept.map(name => [name, computed.getPropertyValue(name)]);
    for (const [name, value] of look) select.style.setProperty(name, value);
    for (const [name, value] of [['appearance', 'base-select'], ['box-sizing', 'border-box'], ['min-width', '0'],
      ['min-height', '0'], ['width', box[0]], ['height', box[1]]]) select.style.setProperty(name, value, 'important');
    select.getBoundingClientRect();
  };

  const opens = event => [' ', 'Enter', 'F4'].includes(event.key)
    || (event.altKey && ['ArrowDown', 'ArrowUp'].includes(event.key));
  addEventListener('pointerdown', prepare, true);
  addEventListener('keydown', event => { if (opens(event)) prepare(event); }, true);
})();
"""
