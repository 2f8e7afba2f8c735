#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0
# Take one series apart: split-series.pl FILE|DIRECTORY OUTDIR START
#
# Writes every patch, decoded, as OUTDIR/NNNN.patch counting from START+1 and
# prints one line for each: number TAB label TAB subject.  A problem is one line
# "error TAB label TAB detail" and exit status 10.
#
# A patch that could leave the tree is refused here, before any tool sees it.
use strict;
use warnings;
use MIME::Base64 qw(decode_base64);
use MIME::QuotedPrint qw(decode_qp);

# What becomes one line of JSON for all patches of a series has to stay short.
use constant {
	PATCHES_MAX => 1000,
	TEXT_MAX => 200,	# characters of a subject, a label or a path that is shown
};

my ($source, $out, $number) = @ARGV;
defined $number or die "usage: split-series.pl FILE|DIRECTORY OUTDIR START\n";

# The first characters of UTF-8 text; bytes that are no UTF-8 count as one.
sub cut {
	my ($text, $max) = @_;
	return $text =~ /\A((?:[\x00-\x7f]|[\xc0-\xff][\x80-\xbf]{0,3}|[\x80-\xbf]){$max})/ ? $1 : $text;
}

sub refuse {
	my ($label, $detail) = @_;
	s/[\x00-\x1f]+/ /g for $label, $detail;
	$label = cut($label, TEXT_MAX);
	$detail = cut($detail, 2 * TEXT_MAX);
	print "error\t$label\t$detail\n";
	exit 10;
}

sub slurp {
	my ($path) = @_;
	open my $in, '<:raw', $path or refuse($path, "cannot read it: $!");
	local $/;
	my $text = <$in>;
	return defined $text ? $text : '';
}

# Subject of a message: folded lines joined, [PATCH ...] and encoding removed.
sub subject_of {
	my ($header) = @_;
	return '' unless $header =~ /^Subject:[ \t]*(.*(?:\n[ \t]+.*)*)/mi;
	# Encoded it may be several times as long.
	my $subject = substr $1, 0, 20 * TEXT_MAX;
	$subject =~ s/\n[ \t]+/ /g;
	$subject =~ s/\?=\s+=\?/?==?/g;
	$subject =~ s/=\?[^?]+\?([bq])\?([^?]*)\?=/
		lc $1 eq 'b' ? decode_base64($2) : decode_qp($2 =~ tr{_}{ }r)/gexi;
	$subject =~ s/^(?:\s*\[[^\]]*\])+\s*//;
	$subject =~ s/[\x00-\x1f]/ /g;
	return cut($subject, TEXT_MAX);
}

# A name out of a diff header line, without the time stamp and quotes.
sub diff_name {
	my ($text) = @_;
	$text =~ s/\r$//;
	$text =~ s/\t.*//;
	$text =~ s/^"(.*)"$/$1/;
	return $text;
}

sub check_paths {
	my ($label, $body) = @_;
	my @names;
	for my $line (split /\n/, $body) {
		if ($line =~ /^(?:---|\+\+\+) (.*)/) {
			push @names, diff_name($1);
		} elsif ($line =~ /^(?:rename|copy) (?:from|to) (.*)/) {
			push @names, 'a/' . diff_name($1);
		} elsif ($line =~ /^diff --git (.*)/) {
			push @names, map { diff_name($_) } split / /, $1;
		} elsif ($line =~ /^(?:new|old|deleted) (?:file )?mode 120000/) {
			refuse($label, 'it makes or changes a symbolic link');
		} elsif ($line =~ /^GIT binary patch/) {
			refuse($label, 'it holds a binary patch');
		}
	}
	for my $name (@names) {
		# patch(1) decodes what the checks below do not.
		refuse($label, "the path $name has a backslash") if $name =~ /\\/;
		refuse($label, "it names the absolute path $name")
			if $name =~ m{^/} && $name ne '/dev/null';
		refuse($label, "the path $name leaves the tree")
			if $name =~ m{(?:^|/)\.\.(?:/|$)};
	}
}

# A diff of modes or names alone: no line is changed.
sub changes_without_lines {
	my ($body) = @_;
	return 0 unless $body =~ /^diff --git /mg;
	return $body =~ /\G.*\n(?s:.*?)^(?:new file|deleted file|rename|old mode)/m;
}

# One message or bare diff: label is what the user called it.
sub take {
	my ($label, $text) = @_;
	$text =~ s/\r\n/\n/g;
	my ($header, $body) = ('', $text);
	if ($text =~ /\A(?:From [^\n]*\n)?(?:[A-Za-z0-9-]+:[^\n]*\n(?:[ \t][^\n]*\n)*)+\n/) {
		$header = substr $text, 0, $+[0];
		$body = substr $text, $+[0];
		my ($encoding) = $header =~ /^Content-Transfer-Encoding:\s*(\S+)/mi;
		$encoding = lc($encoding // '');
		$body = decode_qp($body) if $encoding eq 'quoted-printable';
		$body = decode_base64($body) if $encoding eq 'base64';
		$body =~ s/\r\n/\n/g;
	}
	my $subject = subject_of($header);
	if ($body !~ /^--- \S.*\n\+\+\+ \S/m && !changes_without_lines($body)) {
		# A cover letter is no patch and no mistake.
		return if $header =~ /^Subject:[^\n]{0,100}?\[[^\]\n]{0,100}\b0+\/\d+/mi;
		refuse($label, 'there is no diff in it');
	}
	check_paths($label, $body);
	if ($label =~ /^#(\d+)$/) {
		my $index = $1;
		my $slug = lc $subject;
		$slug =~ s/[^a-z0-9]+/-/g;
		$slug =~ s/^-|-$//g;
		$label = sprintf '%04d-%s.patch', $index, substr($slug || 'patch', 0, 52);
	}
	$number++;
	refuse($label, 'the series has more than ' . PATCHES_MAX . ' patches') if $number > PATCHES_MAX;
	my $path = sprintf '%s/%04d.patch', $out, $number;
	open my $file, '>:raw', $path or die "$path: $!\n";
	print $file $header, $body or die "$path: $!\n";
	close $file or die "$path: $!\n";
	$label =~ s/[\x00-\x1f]/ /g;
	$label = cut($label, TEXT_MAX);
	print "$number\t$label\t", ($subject || $label), "\n";
}

# The messages of an mbox, each from its line "From SENDER ... YEAR" on.
sub messages_of {
	my ($text) = @_;
	my @starts;
	while ($text =~ /^From [^\n]*/mg) {
		my ($line, $start) = ($&, $-[0]);
		push @starts, $start if $line =~ /\AFrom \S/ && $line =~ /[0-9]{4}\s*\z/;
	}
	unshift @starts, 0 unless @starts && $starts[0] == 0;
	return map { substr $text, $starts[$_], ($starts[$_ + 1] // length $text) - $starts[$_] } 0 .. $#starts;
}

# The patches of a folder of $source by name, then those of the folders in it: a
# series that is posted in parts has a folder for each.
sub patches_in {
	my ($folder) = @_;
	opendir my $dir, "$source/$folder" or refuse("$source/$folder", "cannot read it: $!");
	my @names = sort grep { !/^\./ } readdir $dir;
	my @files = map { "$folder$_" } grep { /\.(?:patch|diff)$/ && -f "$source/$folder$_" } @names;
	return @files if $folder ne '';
	return (@files, map { patches_in("$_/") } grep { -d "$source/$_" && !-l "$source/$_" } @names);
}

my $before = $number;
if (-d $source) {
	my @files = patches_in('');
	refuse($source, 'the folder holds no *.patch file') unless @files;
	take($_, slurp("$source/$_")) for @files;
} else {
	(my $name = $source) =~ s{.*/}{};
	my $text = slurp($source);
	refuse($name, 'the file is empty') if $text !~ /\S/;
	my @messages = grep { /\S/ } messages_of($text);
	if (@messages > 1) {
		my $index = 0;
		s/^>(>*From )/$1/mg, take('#' . ++$index, $_) for @messages;
	} else {
		take($name, $text);
	}
	refuse($name, 'there is no patch in it') if $number == $before;
}
