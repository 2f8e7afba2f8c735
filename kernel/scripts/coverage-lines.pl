#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0
# Which added lines of a series ran, by what gcov counted: for build-bundle.sh and
# coverage.sh.
#
# usage: coverage-lines.pl profile BEFORE AFTER >NAMES
#            adds to the Makefiles below AFTER that the series' files are counted,
#            and prints which Makefiles those are
#        coverage-lines.pl diff BEFORE AFTER >DIFF
#            what the series makes of each of its C files, all patches in one
#        coverage-lines.pl unpack LOG FOLDER
#            the counters that a machine printed, as FOLDER/N.gcda and .name
#        coverage-lines.pl report BEFORE AFTER COUNTS...
#            Markdown; COUNTS: gcov --json-format --stdout, one after the other
use strict;
use warnings;
use File::Basename qw(basename dirname);
use File::Find;
use File::Path qw(make_path);
use JSON::PP;
use MIME::Base64;

my ($command, @arguments) = @ARGV;
my %commands = (profile => \&profile, diff => \&series_diff, unpack => \&unpack_log, report => \&report);
($commands{ $command // '' } // sub { die "usage: coverage-lines.pl profile|unpack|report ...\n" })->(@arguments);

sub content {
	my ($path) = @_;
	open my $file, '<:raw', $path or return undef;
	local $/;
	return <$file> // '';
}

# c_files(AFTER) -- the C files of the kernel among those that the series touches.
sub c_files {
	my ($after) = @_;
	my @names;
	find({ no_chdir => 1, wanted => sub { push @names, substr $_, 1 + length $after if -f && !-l && /\.[ch]$/ } }, $after);
	return grep { !m{^(?:tools|samples|Documentation)/} } sort @names;
}

sub profile {
	my ($before, $after) = @_;
	my %lines;
	for (grep { /\.c$/ } c_files($after)) {
		$lines{ dirname($_) } .= 'GCOV_PROFILE_' . (basename($_) =~ s/\.c$//r) . ".o := y\n";
	}
	for my $folder (sort keys %lines) {
		my $name = "$folder/Makefile";
		my $old = content("$after/$name") // content("$before/$name") // next;
		make_path("$after/$folder");
		# A file of its own: it may be a link into the pristine tree.
		unlink "$after/$name";
		open my $file, '>:raw', "$after/$name" or die "$after/$name: $!\n";
		print $file $old, $old =~ /\n\z/ || $old eq '' ? '' : "\n", $lines{$folder};
		close $file or die "$after/$name: $!\n";
		print "$name\n";
	}
}

sub series_diff {
	my ($before, $after) = @_;
	for my $name (c_files($after)) {
		my ($old, $label) = -f "$before/$name" ? ("$before/$name", "a/$name") : ('/dev/null', '/dev/null');
		open my $diff, '-|', 'diff', '-a', '-u', '-p', '--label', $label, '--label', "b/$name", $old, "$after/$name" or die "diff: $!";
		print <$diff>;
	}
}

sub unpack_log {
	my ($log, $folder) = @_;
	my ($number, $name, $text, %number) = (0, undef, '');
	open my $file, '<', $log or die "$log: $!\n";
	while (<$file>) {
		tr/\r\0//d;
		if (/^\@coverage begin (\S+)$/) { ($name, $text) = ($1, '') }
		elsif (/^\@coverage end (\d+)$/ && defined $name) {
			my $data = decode_base64($text);
			# A line that was lost would be counted as one that did not run.
			die "$name: " . length($data) . " bytes instead of $1\n" if length $data != $1;
			# A machine counts up: what it says last is all.
			my $index = $number{$name} //= ++$number;
			for (["$folder/$index.gcda", $data], ["$folder/$index.name", "$name\n"]) {
				open my $out, '>:raw', $_->[0] or die "$_->[0]: $!\n";
				print $out $_->[1];
				close $out or die "$_->[0]: $!\n";
			}
			undef $name;
		} elsif (defined $name && m{^[A-Za-z0-9+/=]+$}) { $text .= $_ }
	}
	die "$log: no counters\n" unless $number;
	print "$number\n";
}

# added_lines(BEFORE, AFTER, NAME) -- number => text.
sub added_lines {
	my ($before, $after, $name) = @_;
	my @text = split /\n/, content("$after/$name");
	return { map { $_ => $text[$_ - 1] } 1 .. @text } unless -f "$before/$name";
	open my $diff, '-|', 'diff', '-a', '--unchanged-line-format=', '--old-line-format=', "--new-line-format=%dn\n",
		"$before/$name", "$after/$name" or die "diff: $!";
	return { map { /^(\d+)/ ? ($1 => $text[$1 - 1]) : () } <$diff> };
}

sub report {
	my ($before, $after, @counts) = @_;
	my (%count, %compiled);
	my @names = c_files($after);
	for my $path (@counts) {
		for my $text (split /\n/, content($path) // '') {
			next unless $text =~ /^\{/;
			for my $file (@{ decode_json($text)->{files} }) {
				# With or without the folder of the tree in front.
				my ($name) = grep { $file->{file} =~ m{(?:^|/)\Q$_\E$} } @names or next;
				$compiled{$name} = 1;
				$count{$name}{ $_->{line_number} } += $_->{count} for @{ $file->{lines} };
			}
		}
	}
	my (@rows, @missed, %total);
	for my $name (@names) {
		my $added = added_lines($before, $after, $name);
		my @code = grep { defined $count{$name}{$_} } sort { $a <=> $b } keys %$added;
		my @ran = grep { $count{$name}{$_} } @code;
		if (!$compiled{$name}) {
			push @rows, sprintf '| %s | %d | not built | | |', $name, scalar keys %$added;
			next;
		}
		$total{added} += keys %$added;
		$total{code} += @code;
		$total{ran} += @ran;
		push @rows, sprintf '| %s | %d | %d | %d | %s |', $name, scalar keys %$added, scalar @code, scalar @ran,
			@code ? sprintf('%.0f %%', 100 * @ran / @code) : '–';
		push @missed, map { [$name, $_, $added->{$_}] } grep { !$count{$name}{$_} } @code;
	}
	print "| file | added lines | of them code | run | |\n|---|---:|---:|---:|---:|\n", map { "$_\n" } @rows;
	printf "| built | %d | %d | %d | %s |\n", map({ $total{$_} // 0 } qw(added code ran)),
		$total{code} ? sprintf('%.0f %%', 100 * $total{ran} / $total{code}) : '–';
	return unless @missed;
	print "\nAdded code that did not run:\n\n";
	my $last = '';
	for (@missed) {
		my ($name, $line, $text) = @$_;
		print "```c\n" if $last eq '';
		print "/* $name */\n" if $name ne $last;
		$text =~ s/^\s+//;
		# Text of a stranger's series must not end the block.
		$text =~ s/`/'/g;
		print "$line: $text\n";
		$last = $name;
	}
	print "```\n";
}
