/** What a supervised process says, and how often. */
export const heartbeatMessage = "conec: alive";
export const heartbeatIntervalMs = 250;
