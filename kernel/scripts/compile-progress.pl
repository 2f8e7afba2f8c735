#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0
# Report the progress of make.
#
# usage: compile-progress.pl FIRST LAST EXPECTED COUNT-FILE
#
# Copies stdin, which is make's output, to stderr, and prints one line "@progress
# PERCENT TEXT" for each compiled file: PERCENT goes from FIRST to LAST in equal steps
# over the EXPECTED number of files, and stays at LAST when there are more.  At the
# end the number of files is in COUNT-FILE.
#
# Every line is passed on when it arrives.  (mawk reads blocks of 4 KiB, which are
# about a hundred files.)
use strict;
use warnings;
use IO::Handle;

@ARGV == 4 or die "usage: compile-progress.pl FIRST LAST EXPECTED COUNT-FILE\n";
my ($first, $last, $expected, $count_file) = @ARGV;
STDOUT->autoflush(1);
STDERR->autoflush(1);

my $done = 0;
while (my $line = <STDIN>) {
	print STDERR $line;
	next unless $line =~ /^\s*(?:CC|AS)\s/;
	my $file = (split ' ', $line)[-1];
	$done++;
	my $total = $done > $expected ? $done : $expected;
	my $share = $done < $expected ? $done / $expected : 1;
	printf "\@progress %.2f compiling %d/%d: %s\n", $first + ($last - $first) * $share, $done, $total, $file;
}
open(my $out, '>', $count_file) or die "$count_file: $!\n";
print $out "$done\n";
close($out) or die "$count_file: $!\n";
