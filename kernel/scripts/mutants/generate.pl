#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0
# Make mutants of the lines that a series adds.
#
# usage: generate.pl --before DIR --after DIR [--files REGEX] [--kinds KIND,...]
#                    [--without FILE] [--off FILE] [--list] [--patches DIR]
#                    [--schemata FILE]
#
#   --before    the tree without the series
#   --after     the files that the series touches, patched
#   --files     only files whose name matches (default: *.c that is not under
#               tools/, samples/ or Documentation/)
#   --kinds     negate never always bound operand constant flag call assign jump
#               return order exchange width (default: all of them)
#   --without   a file of ids, the first word of each line, to leave out
#   --off       a file of ids that keep their numbers but are not in --schemata
#   --list      one line each: number, id, file:line, kind, function, what
#   --patches   one mail for each mutant, on top of the series
#   --schemata  one patch on top of the series with all mutants in it; on the
#               running kernel debugfs' peerlab_mutant chooses one, and 0 is the
#               series as it is
#
# The same input gives the same output.  An id stays the same when lines move.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Digest::SHA qw(sha1_hex);
use File::Basename qw(dirname);
use File::Find;
use File::Path qw(make_path);
use File::Temp;
use Kinds;

my (%option, %known);
$known{$_} = 1 for qw(before after files kinds without off patches schemata);
while (@ARGV) {
	my $name = shift @ARGV;
	if ($name eq '--list') { $option{list} = 1; next }
	usage("unknown argument $name") unless $name =~ s/^--// && $known{$name};
	usage("--$name: the value is missing") unless @ARGV;
	$option{$name} = shift @ARGV;
}
for (qw(before after)) { usage("--$_ is missing") unless defined $option{$_}; usage("--$_ $option{$_}: no such folder") unless -d $option{$_} }
my $files = $option{files} // '^(?!tools/|samples/|Documentation/).*\.c$';
my %kinds = map { $_ => 1 } split /,/, $option{kinds} // '';
my %without = ids($option{without});
my %off = ids($option{off});

sub usage {
	print STDERR "generate: $_[0]\nusage: generate.pl --before DIR --after DIR [--list] [--patches DIR] [--schemata FILE]\n";
	exit 2;
}

sub content {
	my ($path) = @_;
	open my $file, '<:raw', $path or do { print STDERR "generate: $path: $!\n"; exit 12 };
	local $/;
	return <$file> // '';
}
sub ids {
	my ($path) = @_;
	return () unless defined $path;
	return map { /^\s*([0-9a-f]{8})\b/ ? ($1 => 1) : () } split /\n/, content($path);
}

sub write_file {
	my ($path, $text) = @_;
	make_path(dirname($path));
	open my $file, '>:raw', $path or do { print STDERR "generate: $path: $!\n"; exit 12 };
	print $file $text;
	close $file or do { print STDERR "generate: $path: $!\n"; exit 12 };
}

# added_lines(NAME) -- the lines of the patched file that are not in the base.
sub added_lines {
	my ($name) = @_;
	return undef unless -f "$option{before}/$name";
	open my $diff, '-|', 'diff', '-a', '--unchanged-line-format=', '--old-line-format=', "--new-line-format=%dn\n",
		"$option{before}/$name", "$option{after}/$name" or die "diff: $!";
	return { map { /^(\d+)/ ? ($1 => 1) : () } <$diff> };
}

my @names;
find({ no_chdir => 1, wanted => sub { push @names, substr $_, 1 + length $option{after} if -f && !-l } }, $option{after});
my (@mutants, %seen, %texts);
for my $name (sort grep { /$files/ } @names) {
	$texts{$name} = content("$option{after}/$name");
	for my $mutant (Kinds->new(Source->new($texts{$name}), added_lines($name))->all) {
		my $what = "$name|$mutant->{function}|$mutant->{kind}|$mutant->{what}";
		$mutant->{id} = substr sha1_hex($what . '|' . $seen{$what}++), 0, 8;
		next if $without{ $mutant->{id} } || %kinds && !$kinds{ $mutant->{kind} };
		$mutant->{file} = $name;
		$mutant->{number} = @mutants + 1;
		push @mutants, $mutant;
	}
}

if ($option{list}) {
	print join("\t", $_->{number}, $_->{id}, "$_->{file}:$_->{line}", $_->{kind}, $_->{function}, $_->{what},
		"$_->{first}-$_->{last}") . "\n" for @mutants;
}
write_patches() if defined $option{patches};
write_schemata() if defined $option{schemata};

# mail(PATH, SUBJECT, HEADER, TEXT, CHANGE)
sub mail {
	my ($path, $subject, $header, $text, $change) = @_;
	write_file($path, "From 0000000000000000000000000000000000000000 Mon Sep 17 00:00:00 2001\n" .
		"From: Peerlab <peerlab\@example.org>\nDate: Thu, 1 Jan 2026 00:00:00 +0000\n" .
		"Subject: [PATCH] $subject\n$header\n$text\n---\n$change-- \n2.39\n\n");
}

# change(NAME, TEXT) -- the diff that makes the file of the series say TEXT.
sub change {
	my ($name, $text) = @_;
	my ($old) = grep { -f } "$option{after}/$name", "$option{before}/$name";
	my $new = File::Temp->new;
	print $new $text;
	close $new;
	open my $diff, '-|', 'diff', '-a', '-u', '--label', $old ? "a/$name" : '/dev/null', '--label', "b/$name",
		$old // '/dev/null', $new->filename or die "diff: $!";
	local $/;
	return ($old ? '' : "diff --git a/$name b/$name\nnew file mode 100644\n") . <$diff>;
}

sub write_patches {
	for my $mutant (@mutants) {
		my $text = $texts{ $mutant->{file} };
		substr $text, $_->[0], $_->[1] - $_->[0], $_->[2] for sort { $b->[0] <=> $a->[0] } @{ $mutant->{edits} };
		mail(sprintf('%s/%04d-%s.patch', $option{patches}, @$mutant{qw(number id)}),
			"MUTANT: $mutant->{file}:$mutant->{line}: $mutant->{what}", "X-Mutant: $mutant->{id} $mutant->{kind}\n",
			"In $mutant->{function}().", change($mutant->{file}, $text));
	}
}

# with_all(NAME) -- the file with its mutants in it.
sub with_all {
	my ($name) = @_;
	my @inserts;
	for my $mutant (grep { $_->{file} eq $name && !$off{ $_->{id} } } @mutants) {
		for (@{ $mutant->{inserts} }) {
			my ($from, $to, @text) = @$_;
			s/\@/peerlab_mutant_is($mutant->{number})/g for @text;
			# A whole statement stands before what asks about the next one.
			my $whole = $text[0] =~ /\} $/ ? 0 : 1;
			push @inserts, [$from, 1, $whole, $from - $to, $mutant->{number}, $text[0]] if $text[0] ne '';
			push @inserts, [$to, 0, 0, $to - $from, -$mutant->{number}, $text[1]] if $text[1] ne '';
		}
	}
	return undef unless @inserts;
	# What is nested deeper lies between what is nested less deep.
	my ($text, $at) = ('', 0);
	for (sort { $a->[0] <=> $b->[0] || $a->[1] <=> $b->[1] || $a->[2] <=> $b->[2] ||
			$a->[3] <=> $b->[3] || $a->[4] <=> $b->[4] } @inserts) {
		$text .= substr($texts{$name}, $at, $_->[0] - $at) . $_->[5];
		$at = $_->[0];
	}
	return "#include <linux/peerlab_mutant.h>\n#line 1\n" . $text . substr $texts{$name}, $at;
}

sub write_schemata {
	my ($changes, $size) = ('', @mutants + 1);
	for my $name (sort keys %texts) {
		my $text = with_all($name) // next;
		$changes .= change($name, $text);
	}
	$changes .= change('include/linux/peerlab_mutant.h', content("$FindBin::Bin/peerlab_mutant.h"));
	$changes .= change('lib/peerlab_mutant.c', "#define PEERLAB_MUTANTS $size\n" . content("$FindBin::Bin/peerlab_mutant.c"));
	my ($makefile) = grep { -f } "$option{after}/lib/Makefile", "$option{before}/lib/Makefile";
	$changes .= change('lib/Makefile', ($makefile ? content($makefile) : '') . "obj-y += peerlab_mutant.o\n");
	mail($option{schemata}, 'MUTANTS: ' . @mutants . ' in one kernel', '', 'Written by generate.pl.', $changes);
}
