/* notify.h: tells the service manager how we are (sd_notify(3)'s protocol, without libsystemd).
 *
 * Called by the supervisor. Without NOTIFY_SOCKET nothing happens; errors are not reported: the
 * service manager's absence must not end the gateway.
 */
#ifndef GATEHOUSE_MASTER_NOTIFY_H
#define GATEHOUSE_MASTER_NOTIFY_H

/* "READY=1", "STOPPING=1", "RELOADING=1\nMONOTONIC_USEC=...". */
void notify_send(const char *state);
void notify_reloading(void);

#endif
