/* demo_stdio.h: `gatehouse demo-server --stdio`: the demo server over standard input and output, a
 * message a line, of both eras; the same tools as over HTTP. Its end is the end of its input.
 */
#ifndef GATEHOUSE_WORKER_DEMO_STDIO_H
#define GATEHOUSE_WORKER_DEMO_STDIO_H

/* The exit status. */
int demo_stdio_run(void);

#endif
