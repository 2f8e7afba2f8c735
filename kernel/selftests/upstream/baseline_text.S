/* SPDX-License-Identifier: GPL-2.0 */
	.section .rodata
	.globl baseline_text
baseline_text:
	.incbin BASELINE_FILE
	.byte 0
	.section .note.GNU-stack, "", @progbits
