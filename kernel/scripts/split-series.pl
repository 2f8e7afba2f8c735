#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0
# Take one series apart with git's own tools, so that what git am takes is taken:
#   split-series.pl FILE|DIRECTORY OUTDIR START
#   split-series.pl --mails FILE OUTDIR
#   split-series.pl --names PATCH...
#
# The first writes every patch as OUTDIR/NNNN.patch, counting from START+1, and
# prints one line for each: number TAB label TAB subject.  Mails without a patch are
# named on stderr.  The second writes the same for the mails of an mbox, and
# OUTDIR/mails.json, which tells what each mail is; nothing is left out.  The third
# prints the files that patches name.  A problem is one line "error TAB label TAB
# detail" and exit status 10.
#
# A patch that could leave the tree is refused here, before any tool sees it.
use strict;
use warnings;
use File::Temp qw(tempdir);
use JSON::PP;

# What becomes one line of JSON for all patches of a series has to stay short.
use constant {
	PATCHES_MAX => 1000,
	TEXT_MAX => 200,	# characters of a subject, a label or a path that is shown
	HEADER_MAX => 2000,	# bytes of a header field that is looked at
};

$ENV{GIT_CONFIG_NOSYSTEM} = 1;
$ENV{GIT_CONFIG_GLOBAL} = '/dev/null';
$ENV{GIT_DIR} = '/nonexistent';

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

# -- names in a patch ----------------------------------------------------------------

my %ESCAPES = (a => "\a", b => "\b", t => "\t", n => "\n", v => "\013", f => "\f", r => "\r", '"' => '"', '\\' => '\\');

# A name as git writes it: in quotes and escaped where it has odd characters.
sub unquoted {
	my ($text) = @_;
	$text =~ s/\r$//;
	return $text unless $text =~ /^"((?:[^"\\]|\\.)*)"/;
	(my $name = $1) =~ s/\\([0-3][0-7][0-7]|.)/length $1 == 3 ? chr oct $1 : $ESCAPES{$1} \/\/ $1/ge;
	return $name;
}

# Without the time stamp, and without the folder before it.
sub file_name {
	my ($text) = @_;
	my $name = $text =~ /^"/ ? unquoted($text) : $text =~ s/[\t\r].*//sr;
	return $name eq '/dev/null' ? () : ($name =~ m{^/} ? $name : $name =~ s{^[^/]*/}{}r);
}

# Every file that a patch may name, words of its message that look so included.
sub names_in {
	my ($patch) = @_;
	my %names;
	while ($patch =~ /^([^\n]*)/mg) {
		my $line = $1;
		if ($line =~ /^(?:---|\+\+\+) (\S.*)/) {
			$names{$_} = 1 for file_name($1);
		} elsif ($line =~ /^(?:rename|copy) (?:from|to) (.+)/) {
			$names{unquoted($1)} = 1;
		} elsif ($line =~ /^diff --git (.+)/) {
			my $both = $1;
			if ($both =~ /^("(?:[^"\\]|\\.)*"|\S+) ("(?:[^"\\]|\\.)*"|\S+)\r?$/) {
				$names{$_} = 1 for map { file_name($_) } "$1", "$2";
			} elsif (length($both) % 2) {
				# The same name twice, with blanks in it.
				my $half = substr $both, 0, (length($both) - 1) / 2;
				$names{$_} = 1 for file_name($half);
			}
		}
	}
	return sort keys %names;
}

sub check_names {
	my ($label, $patch) = @_;
	for my $name (names_in($patch)) {
		refuse($label, "it names the absolute path $name") if $name =~ m{^/};
		refuse($label, "the path $name leaves the tree") if $name =~ m{(?:^|/)\.\.(?:/|$)};
		refuse($label, "the path $name has a line break") if $name =~ /[\x00\n]/;
	}
}

# -- mails ------------------------------------------------------------------------------

my $work = tempdir(CLEANUP => 1);

# A field of a mail as it was sent, folded lines joined; undef when it has none.
sub raw_field {
	my ($mail, $name) = @_;
	my ($header) = $mail =~ /\A(.*?)(?:\r?\n){2}/s or return undef;
	return undef unless $header =~ /^\Q$name\E:[ \t]*([^\n]*(?:\n[ \t][^\n]*)*)/mi;
	return substr($1, 0, HEADER_MAX) =~ s/\r?\n[ \t]+/ /gr =~ s/\s+$//r;
}

# What git makes of one mail.
sub mail_info {
	my ($file) = @_;
	my ($message, $patch) = ("$work/message", "$work/patch");
	my %info;
	for my $keep (0, 1) {
		# The subject a second time with what stands in brackets before it.
		my $options = $keep ? '-k' : '';
		open my $git, '-|:raw', 'sh', '-c', "git mailinfo $options \"\$2\" \"\$3\" <\"\$1\" 2>/dev/null", 'sh', $file, $message, $patch
			or die "git mailinfo: $!\n";
		while (my $line = <$git>) {
			chomp $line;
			next unless $line =~ /^(Author|Email|Subject|Date): (.*)/;
			$info{$keep ? "Whole$1" : $1} = cut(substr($2, 0, HEADER_MAX) =~ s/[\x00-\x1f]/ /gr, 2 * TEXT_MAX);
		}
		close $git;
	}
	$info{message} = slurp($message);
	$info{patch} = slurp($patch);
	return %info;
}

sub has_diff { return $_[0] =~ /^diff --git |^--- \S[^\n]*\n\+\+\+ \S/m; }

# One patch as git format-patch would write it; a bare diff stays as it is.
sub as_patch {
	my (%info) = @_;
	return $info{patch} if ($info{Author} // '') eq '' && ($info{Subject} // '') eq '';
	my $head = "From 0000000000000000000000000000000000000000 Mon Sep 17 00:00:00 2001\n";
	$head .= "From: " . ($info{Author} // '') . " <" . ($info{Email} // '') . ">\n";
	$head .= "Date: $info{Date}\n" if ($info{Date} // '') ne '';
	$head .= "Subject: [PATCH] " . ($info{Subject} // '') . "\n\n";
	my $message = $info{message} ne '' && $info{message} !~ /\n\z/ ? "$info{message}\n" : $info{message};
	my $patch = $info{patch} =~ /\A---(?: |\n)/ && $info{patch} !~ /\A--- \S[^\n]*\n\+\+\+ / ? $info{patch} : "---\n$info{patch}";
	return $head . $message . $patch;
}

# The mails of a file, as files.  A patch of a folder is decoded already: carriage
# returns in it are those of the file that it changes.
sub mails_of {
	my ($source, $name, $keep_cr) = @_;
	refuse($name, 'the file is empty') if slurp($source) !~ /\S/;
	my $folder = tempdir(DIR => $work);
	system('sh', '-c', 'git mailsplit $3 -b -d6 "-o$1" -- "$2" >/dev/null 2>"$1.log"', 'sh', $folder, $source, $keep_cr ? '--keep-cr' : '') == 0
		or refuse($name, 'git mailsplit cannot read it: ' . slurp("$folder.log"));
	opendir my $dir, $folder or die "$folder: $!\n";
	my @files = map { "$folder/$_" } sort grep { /^\d+$/ } readdir $dir;
	refuse($name, 'it has more than ' . PATCHES_MAX . ' mails, or the series has more than ' . PATCHES_MAX . ' patches')
		if @files > PATCHES_MAX;
	return @files;
}

sub put {
	my ($path, $text) = @_;
	open my $file, '>:raw', $path or die "$path: $!\n";
	print $file $text or die "$path: $!\n";
	close $file or die "$path: $!\n";
}

my ($number, $out);

# Writes one patch; returns false when there is none in the mail.
sub take {
	my ($label, $info) = @_;
	return 0 unless has_diff($info->{patch});
	check_names($label, $info->{patch});
	$number++;
	refuse($label, 'the series has more than ' . PATCHES_MAX . ' patches') if $number > PATCHES_MAX;
	put(sprintf('%s/%04d.patch', $out, $number), as_patch(%$info));
	return 1;
}

sub label_of {
	my ($index, $subject) = @_;
	(my $slug = lc $subject) =~ s/[^a-z0-9]+/-/g;
	$slug =~ s/^-|-$//g;
	return sprintf '%04d-%s.patch', $index, substr($slug || 'patch', 0, 52);
}

# -- what is asked for ----------------------------------------------------------------

sub utf8_text {
	my ($bytes) = @_;
	my $text = $bytes;
	return utf8::decode($text) ? $text : $bytes =~ s/[\x80-\xff]/?/gr;
}

# What a mail says beside its patch.
sub facts_of {
	my ($file, %info) = @_;
	my $mail = slurp($file);
	my $text = "$info{message}\n$info{patch}";
	my ($base) = $text =~ /^base-commit: ([0-9a-f]{40,64})\b/m;
	my @prerequisites = $text =~ /^prerequisite-patch-id: ([0-9a-f]{40,64})\b/mg;
	my $id = '';
	if (has_diff($info{patch})) {
		$id = `cd "$work" && unset GIT_DIR && git patch-id --stable <patch 2>/dev/null`;
		$id = $id =~ /^([0-9a-f]{40,64})/ ? $1 : '';
	}
	my ($message_id) = map { defined $_ ? substr($_, 0, 250) : undef } raw_field($mail, 'Message-ID');
	return {
		subject => cut(utf8_text($info{WholeSubject} // ''), TEXT_MAX), hasDiff => has_diff($info{patch}) ? JSON::PP::true : JSON::PP::false,
		messageId => defined $message_id ? utf8_text($message_id) : undef, baseCommit => $base,
		prerequisites => [splice @prerequisites, 0, 100], patchId => $id eq '' ? undef : $id,
	};
}

if (@ARGV && $ARGV[0] eq '--names') {
	shift @ARGV;
	my %names = map { $_ => 1 } map { names_in(slurp($_)) } @ARGV;
	print "$_\n" for grep { !/\n/ } sort keys %names;
	exit 0;
}

if (@ARGV == 3 && $ARGV[0] eq '--mails') {
	(my $source, $out) = @ARGV[1, 2];
	(my $name = $source) =~ s{.*/}{};
	my @facts;
	$number = 0;
	for my $file (mails_of($source, $name)) {
		my %info = mail_info($file);
		push @facts, facts_of($file, %info);
		$number = $#facts;
		take('#' . @facts, \%info);
	}
	put("$out/mails.json", JSON::PP->new->utf8->canonical->encode(\@facts));
	exit 0;
}

my $source;
($source, $out, $number) = @ARGV;
defined $number or die "usage: split-series.pl FILE|DIRECTORY OUTDIR START\n";

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

# take_all FILE LABEL -- the patches of one file; those of an mbox have labels of their own.
sub take_all {
	my ($file, $name) = @_;
	my @mails = mails_of($file, $name, -d $source);
	my ($index, $taken) = (0, 0);
	for my $mail (@mails) {
		my %info = mail_info($mail);
		my $subject = $info{Subject} // '';
		my $label = @mails == 1 ? $name : label_of(++$index, $subject);
		if (take($label, \%info)) {
			$taken++;
			$label = cut($label =~ s/[\x00-\x1f]/ /gr, TEXT_MAX);
			print "$number\t$label\t", cut($subject, TEXT_MAX) || $label, "\n";
		} else {
			print STDERR "left out, as there is no patch in it: ", cut($info{WholeSubject} || $label, TEXT_MAX), "\n";
		}
	}
	return $taken;
}

if (-d $source) {
	my @files = patches_in('');
	refuse($source, 'the folder holds no *.patch file') unless @files;
	take_all("$source/$_", $_) for @files;
} else {
	(my $name = $source) =~ s{.*/}{};
	take_all($source, $name) or refuse($name, 'there is no patch in it');
}
