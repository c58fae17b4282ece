/* store_reader.h: LMDB's table of readers, which it tells line by line and in no other way.
 *
 * Called by the store alone. Pure.
 */
#ifndef GATEHOUSE_SHARED_STORE_READER_H
#define GATEHOUSE_SHARED_STORE_READER_H

/* One line: process, thread, and the transaction of the reader's snapshot, or "-". Lowers the
 * uint64_t that `oldest` points to. 0, as mdb_reader_list's callback gives to go on. */
int store_reader_oldest(const char *line, void *oldest);

#endif
