extension OptionTable {
  /// Options of lyco-inspect.
  package static let inspect = OptionTable(
    "lyco-inspect",
    synonyms: """
      o output out save_to = results go to standard output: lyco-inspect FILE --json > FILE.json
      list tensors ls names dump show_keys layers = --keys
      info summary header show print = it is what the tool does without options: lyco-inspect FILE
      meta show_metadata raw_metadata raw = --metadata
      stat norm norms values measure histogram minmax = --stats
      singular_values sv svd ranks rank effective_rank = --spectrum
      validate verify test nan sanity hash hashes = --check
      compare other vs delta with = --diff
      base base_model model checkpoint fits compatible = --against
      program client software app loader readers = --reader
      filter grep include include_patterns name match = --pattern
      top n num count max_rows rows = --limit
      output o save format = results go to standard output; '--json' prints them for programs, '--html PAGE' writes a page
      report page browser web = --html
      model_type arch architecture sd_version model_version = --family
      jobs num_threads workers cpu_threads n_threads = --threads
      silent no_progress = --quiet
      gpu cuda cpu = all work is done on the processor
      """,
    [
      .flag("finish"), .flag("keys"), .flag("stats"), .flag("spectrum"), .flag("check"),
      .flag("metadata"),
      .text("pattern", read: "keys or stats or spectrum or diff or html", implies: true),
      .value("leading", standard: "8", read: "spectrum or html", implies: true),
      .value("limit"), .value("threads"),
      .value("against"), .value("diff"), .reader,
      .value("family", in: .families, standard: "auto"),
      .flag("q quiet"), .flag("v verbose"), .flag("json"), .value("html"),
    ])
}
