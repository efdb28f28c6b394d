// Opens and closes a dialog over everything else.

import { useEffect, useRef } from "../vendor/hooks.js";

/**
 * Return the reference of a dialog that is open while `isOpen`.
 * @param {boolean} isOpen
 */
export function useModal(isOpen) {
  const dialog = useRef(/** @type {HTMLDialogElement | null} */ (null));
  useEffect(() => {
    if (isOpen && !dialog.current?.open) dialog.current?.showModal();
    if (!isOpen && dialog.current?.open) dialog.current?.close();
  }, [isOpen]);
  return dialog;
}
