/** What the victim does with a data stream goes by its name; it sends back the messages of any other. */

/** A stream that it does not read. */
export const unreadName = "unread";

/** A stream that it answers with {@link floodMessages} messages of 64 KiB. */
export const floodName = "flood";
export const floodMessages = 16_384;
