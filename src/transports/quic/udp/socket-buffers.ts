// SPDX-License-Identifier: Apache-2.0
/** How much of either direction the kernel should keep for a socket: the first of these that it allows. */
export const wantedSocketBufferBytes = [8, 4, 2, 1].map((mebibytes) => mebibytes * 1024 * 1024);
