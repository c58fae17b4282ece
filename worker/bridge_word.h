/* bridge_word.h: the one thing that a worker says to the bridge outside HTTP.
 *
 * A stream's connection ends in the same way whether its client left, its token expired or the
 * worker died, and only the first of these says that nobody will come back. So a worker whose
 * client left by itself writes these bytes behind the request, and closes. Written by
 * exchange_bridge.c, read by bridge_client.c.
 */
#ifndef GATEHOUSE_WORKER_BRIDGE_WORD_H
#define GATEHOUSE_WORKER_BRIDGE_WORD_H

#define BRIDGE_WORD_LEFT "LEFT\r\n"

#endif
