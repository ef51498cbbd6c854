import ArgumentParser
import CommandSupport
import Testing

/// What is said of options that are not known, not read or misspelled, without running a tool.
@Suite struct OptionTableTests {
  struct Case: Sendable, CustomTestStringConvertible {
    let table: OptionTable
    let given: String
    /// What the message holds, or the arguments that are left.
    let expected: String
    var testDescription: String { "\(table.tool) \(given)" }

    init(_ table: OptionTable, _ given: String, _ expected: String) {
      (self.table, self.given, self.expected) = (table, given, expected)
    }
  }

  private func message(_ example: Case, facts: [InputFact] = []) -> String {
    do {
      let arguments = example.given.split(separator: " ").map(String.init)
      try example.table.read(arguments).check(facts)
      return "accepted"
    } catch let error as ValidationError {
      return error.message
    } catch {
      return "\(type(of: error))"
    }
  }

  @Test(arguments: [
    Case(.extract, "a b -o c --rank 8", "unknown option '--rank'; did you mean '--linear_dim'?"),
    Case(.convert, "a -o c --rank 8", "unknown option '--rank'; did you mean '--dim'?"),
    Case(.train, "--rank 8", "unknown option '--rank'; did you mean '--network_dim'?"),
    Case(.train, "--bf16", "did you mean '--mixed_precision bf16'?"),
    Case(.extract, "a b -o c -r 8", "unknown option '-r'; did you mean '--linear_dim'?"),
    Case(.inspect, "a -o c.json", "results go to standard output"),
    Case(.merge, "a b -o c --strength 0.5", "did you mean '--ratio'?"),
    Case(.merge, "a b -o c --scale 0.5", "did you mean '--ratio'?"),
    Case(.merge, "a b -o c --multiplier=0.5", "did you mean '--ratio'?"),
    Case(.merge, "a b -o c --alpha 0.5", "did you mean '--ratio'?"),
    Case(.merge, "a b -o c --half", "did you mean '--save_precision fp16'?"),
    Case(.convert, "a -o c --fp16", "did you mean '--save_precision fp16'?"),
    Case(.extract, "a b -o c --bf16", "did you mean '--save_precision bf16'?"),
    Case(.convert, "a -o c --no_ema", "did you mean '--prune ema'?"),
    Case(.extract, "a b -o c --liner_dim 8", "did you mean '--linear_dim'?"),
    Case(.extract, "a b -o c --lineardim 8", "did you mean '--linear_dim'?"),
    Case(.merge, "a b -o c --lenint", "did you mean '--lenient'?"),
    Case(.inspect, "a --linear_quantile 1", "it is an option of lyco-extract"),
    Case(.merge, "a b -o c --to kohya", "did you mean '-o'?"),
    Case(
      .merge, "a b -o c --max_error 1", "it is an option of lyco-extract, and not of lyco-merge"),
    Case(.merge, "a b -o c -ratio 1", "long options have two dashes, '--ratio'"),
    Case(.merge, "a b -o c --zzzz 1", "'lyco-merge --help' lists all"),
    Case(.extract, "a b -o c --alpha 8", "an extracted adapter has alpha = rank"),
  ])
  func namesTheOptionThatIsMeant(_ example: Case) {
    #expect(message(example).contains(example.expected), "\(message(example))")
  }

  @Test(arguments: [
    Case(.extract, "--family sd15", "found 'sd15'; did you mean 'sd1'?"),
    Case(.merge, "--family pony", "found 'pony'; did you mean 'sdxl'?"),
    Case(.extract, "--preset attnmlp", "found 'attnmlp'; did you mean 'attn-mlp'?"),
    Case(.convert, "--to difusers", "found 'difusers'; did you mean 'diffusers'?"),
    Case(.convert, "--from khya", "did you mean 'kohya'?"),
    Case(.extract, "--algo dora", "'--dora_wd'"),
    Case(.convert, "--algo dora", "'--dora_wd'"),
    Case(.extract, "--algo lokrr", "found 'lokrr'; did you mean 'lokr'?"),
    Case(.extract, "--mode best", "'--mode': expected fixed, threshold"),
    Case(.merge, "--save_precision half", "did you mean 'fp16'?"),
    Case(.convert, "--dtype fp8", "did you mean 'fp8_e4m3'?"),
    Case(.train, "--mixed_precision half", "did you mean 'fp16'?"),
    Case(.train, "--loss_type hubr", "did you mean 'huber'?"),
    Case(.merge, "--ratio 0.5,0.3", "'--ratio 0.5 0.3', found '0.5,0.3'"),
    Case(.extract, "--norms true", "'--norms': expected no value, found 'true'"),
  ])
  func namesTheValueThatIsMeant(_ example: Case) {
    #expect(message(example).contains(example.expected), "\(message(example))")
  }

  @Test(arguments: [
    Case(.convert, "a --to Kohya", "a --to kohya"),
    Case(.convert, "a --to=ComfyUI", "a --to=comfy"),
    Case(.convert, "a --to Diffusers", "a --to diffusers"),
    Case(.extract, "a b --algo LoKr --factor 8", "a b --algo lokr --factor 8"),
    Case(.extract, "a b --preset ATTN_MLP", "a b --preset attn-mlp"),
    Case(.extract, "a b --mode FIXED --dim 4", "a b --mode fixed --dim 4"),
    Case(.merge, "--save_precision BF16", "--save_precision bf16"),
    Case(.merge, "--family SDXL", "--family sdxl"),
    Case(.train, "--mixed_precision BF16", "--mixed_precision bf16"),
    Case(.extract, "--dora_wd --wd_on_output False", "--dora_wd --wd_on_output false"),
    // An option that stands for a mode.
    Case(.extract, "a b --linear_ratio 0.5", "a b --linear_ratio 0.5 --mode=ratio"),
    Case(.extract, "--conv_quantile 0.5 -- a b", "--conv_quantile 0.5 --mode=quantile -- a b"),
    Case(.extract, "a --linear_threshold=0.1", "a --linear_threshold=0.1 --mode=threshold"),
    Case(.convert, "a b --beta 0.9", "a b --beta 0.9 --ema"),
    Case(.inspect, "a --pattern x", "a --pattern x --keys"),
    Case(.inspect, "a --pattern x --stats", "a --pattern x --stats"),
    Case(.inspect, "a --leading 3", "a --leading 3 --spectrum"),
    // What counts anyway is never out of place.
    Case(.extract, "a b --sparsity 0.98", "a b --sparsity 0.98"),
    Case(.merge, "a -- --no-option", "a -- --no-option"),
    Case(.merge, "a -qv", "a -qv"),
  ])
  func leavesWhatTheParserReads(_ example: Case) throws {
    let arguments = example.given.split(separator: " ").map(String.init)
    let given = try example.table.read(arguments)
    #expect(given.arguments.joined(separator: " ") == example.expected)
  }

  @Test(arguments: [
    Case(
      .extract, "--mode fixed --linear_ratio 0.5",
      "'--linear_ratio' is only valid with '--mode ratio'"),
    Case(.extract, "--linear_ratio 0.5 --linear_quantile 0.5", "expected one of them"),
    Case(.extract, "--max_size 5MB --max_error 0.1", "exclude each other"),
    Case(.extract, "--max_size 5MB --dim 8", "'--linear_dim' is only valid with '--mode fixed'"),
    Case(.extract, "--factor 8", "'--factor' is only valid with '--algo lokr' or '--algo auto'"),
    Case(.extract, "--factor 8 --preset attn-mlp", "'--factor' is only valid with '--algo lokr'"),
    Case(.extract, "--algo lora --ia3_side input", "'--ia3_side' is only valid with '--algo ia3'"),
    Case(.extract, "--rescaled", "'--rescaled' is only valid with '--algo diag-oft'"),
    Case(.extract, "--sparsity 0.5", "'--sparsity' is only valid with '--use_sparse_bias'"),
    Case(.extract, "--wd_on_output true", "'--wd_on_output' is only valid with '--dora_wd'"),
    Case(.extract, "--algo ia3 --dora_wd", "'--dora_wd' is not valid with '--algo ia3'"),
    Case(.extract, "--algo ia3 --dim 8", "'--linear_dim' is not valid with '--algo ia3'"),
    Case(
      .extract, "--algo ia3 --mode threshold", "'--mode threshold' is not valid with '--algo ia3'"),
    Case(.extract, "--algo ia3 --mode error --max_error 0.1", "accepted"),
    Case(.extract, "--algo full --svd exact", "'--svd' is not valid with '--algo full'"),
    Case(
      .extract, "--max_size 1MB --use_sparse_bias",
      "'--use_sparse_bias' is not valid with '--mode size'"),
    Case(
      .extract, "--include_patterns x",
      "'--include_patterns' is only valid with '--exclude_patterns'"),
    Case(.convert, "--density 0.5", "'--density' is only valid with '--combine ties'"),
    Case(
      .convert, "--dynamic_param 0.5", "'--dynamic_param' is only valid with '--dynamic_method'"),
    Case(.convert, "--factor 4", "'--factor' is only valid with '--algo lokr'"),
    Case(.convert, "--report r.json", "'--report' is only valid with '--algo', '--dim'"),
    Case(.convert, "--use_tucker", "'--use_tucker' is only valid with"),
    Case(.convert, "--svd exact", "'--svd' is only valid with"),
    Case(.convert, "--no_sort", "'--no_sort' is only valid with '--ema'"),
    Case(.convert, "--ema --to kohya", "'--to' is not valid with '--ema'"),
    Case(
      .convert, "--sigma_rel 0.1 --save_precision bf16",
      "'--save_precision' is not valid with '--ema'"),
    Case(.convert, "--max_size 1MB --max_error 0.1", "exclude each other: each chooses the ranks"),
    Case(
      .train, "--log_with tensorboard",
      "'--log_with tensorboard' is only valid with '--logging_dir'"),
    Case(.train, "--log_with wandb", "accepted"),
  ])
  func refusesWhatIsNotRead(_ example: Case) {
    #expect(message(example).contains(example.expected), "\(message(example))")
  }

  private static let oneAdapter = [
    InputFact("input", "adapter", found: "a, which is an adapter"),
    InputFact("inputs", "one", found: "a alone"),
  ]
  private static let oneCheckpoint = [
    InputFact("input", "checkpoint", found: "a, which is a checkpoint"),
    InputFact("inputs", "one", found: "a alone"),
  ]

  @Test(arguments: [
    (Case(.convert, "--to kohya", "'--to': expected an adapter, found a"), oneCheckpoint),
    (Case(.convert, "--dim 4", "'--dim': expected an adapter, found a"), oneCheckpoint),
    (Case(.convert, "--lenient", "'--lenient': expected an adapter"), oneCheckpoint),
    (
      Case(.convert, "--ratio 0.5", "'--ratio': expected an adapter or several inputs"),
      oneCheckpoint
    ),
    (Case(.convert, "--prune ema", "'--prune': expected a checkpoint, found a"), oneAdapter),
    (Case(.convert, "--shard_size 1GB", "'--shard_size': expected a checkpoint"), oneAdapter),
    (
      Case(.convert, "--combine svd", "'--combine': expected several inputs, found a alone"),
      oneAdapter
    ),
    (Case(.convert, "--to kohya --dim 4", "accepted"), oneAdapter),
    (Case(.convert, "--prune ema", "accepted"), oneCheckpoint),
  ])
  func refusesWhatInputsHaveNoUseFor(_ example: Case, facts: [InputFact]) {
    #expect(
      message(example, facts: facts).contains(example.expected), "\(message(example, facts: facts))"
    )
  }

  /// Files of kohya's scripts name options that are not read: one line for all.
  @Test func notesInOneLine() throws {
    var notes: [String] = []
    _ = try OptionTable.train.read(
      ["--huber_c=0.2", "--huber_schedule=snr", "--save_last_n_steps=3"]
    ) { notes.append($0) }
    #expect(notes.count == 1)
    #expect(notes[0].contains("'--huber_c' is only valid with '--loss_type huber'"))
    #expect(notes[0].contains("'--save_last_n_steps' is only valid with '--save_every_n_steps'"))
    #expect(!notes[0].contains("huber_schedule"))
  }

  @Test(arguments: [
    Case(
      .train, "--learning_rate nan", "'--learning_rate': expected a number from 0 on, found 'nan'"),
    Case(.train, "--noise_offset=inf", "'--noise_offset': expected a finite number, found 'inf'"),
    Case(.train, "--max_grad_norm nan", "'--max_grad_norm': expected a number from 0 on"),
    Case(.train, "--max_grad_norm inf", "accepted"),
    Case(.train, "--caption_dropout_rate 2", "expected a number from 0 to 1, found '2'"),
    Case(.train, "--keep_tokens -1", "expected a number from 0 on, found '-1'"),
    Case(.train, "--dataset_repeats=0", "expected a number from 1 on, found '0'"),
    Case(.train, "--text_encoder_lr=nan", "'--text_encoder_lr': expected a number from 0 on"),
    Case(.train, "--network_alpha nan", "'--network_alpha': expected a finite number"),
    Case(.train, "--learning_rate 1e-4 --noise_offset -0.1", "accepted"),
  ])
  func numbersAreWithinTheirLimits(_ example: Case) {
    #expect(message(example).contains(example.expected), "\(message(example))")
  }

  /// What is longer than any path is refused before anything looks at it.
  @Test func longArgumentsAreRefused() throws {
    let long = String(repeating: "x", count: 100_000)
    for arguments in [[long], ["--output=" + long], ["--in_json", long], ["--" + long]] {
      let error = #expect(throws: ValidationError.self) {
        try OptionTable.train.checkLengths(of: arguments)
      }
      #expect(error?.message.contains("expected at most 4096 bytes, found 100") == true)
      #expect((error?.message.count ?? 0) < 200)
    }
    try OptionTable.train.checkLengths(
      of: ["--network_args", "a=1", long, "--metadata_title", long])
  }

  /// Every name in a condition is an option with that value, or a fact of inputs; synonyms are no options.
  @Test(arguments: OptionTable.all)
  func tableIsSound(_ table: OptionTable) {
    for row in table.rows {
      for term in row.condition.clauses.joined() {
        guard let other = table[term.name] else {
          #expect(["input", "inputs"].contains(term.name), "\(row.name): \(term.name)")
          continue
        }
        if let words = other.words?.words {
          #expect(Set(term.values).isSubset(of: words), "\(row.name): \(term.values)")
        }
      }
      if let standard = row.standard, let words = row.words?.words {
        #expect(words.contains(standard), "\(row.name): \(standard)")
      }
    }
    #expect(table.names.isDisjoint(with: table.synonyms.keys))
  }
}
