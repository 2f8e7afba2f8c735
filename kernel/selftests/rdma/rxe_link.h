/* SPDX-License-Identifier: GPL-2.0 */
#ifndef RXE_LINK_H
#define RXE_LINK_H

#define RXE_NAME	"peerlab_rxe"

/**
 * rxe_link_create() - make a software RDMA device of our own
 *
 * It sits on a dummy network device, so that nothing of it meets the network of
 * the machine. One that was left over is removed first.
 *
 * Return: NULL, or why there is none.
 */
const char *rxe_link_create(void);

/**
 * rxe_link_create_on() - the same on a network device that leads to the peer
 * @link: its name
 * @address: its IPv4 address with the length of its prefix, which it is given;
 * NULL when it has one
 *
 * Return: NULL, or why there is none.
 */
const char *rxe_link_create_on(const char *link, const char *address);

/* Give the network device its address again, if somebody took it. */
void rxe_link_address_again(void);

/* Remove both again. */
void rxe_link_remove(void);

#endif /* RXE_LINK_H */
