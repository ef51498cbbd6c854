import ArgumentParser
import Checkpoints
import CommandSupport
import Machine
import ModelFamilies
import Operations
import Safetensors
import SystemPackage

/// `lyco-convert INPUT… --to FORMAT -o OUT`
@main
struct Convert: Tool {
  static let configuration = CommandConfiguration(
    commandName: "lyco-convert",
    abstract: "Turn adapters and checkpoints into the ones that other software wants.",
    discussion: """
      Names are translated by tables of every family; what no table knows is listed, never guessed. \
      Fused and split weights, alphas and number formats are converted so that the change of every \
      weight stays the same.

      EXAMPLES
        lyco-convert kohya.safetensors --to diffusers \\
          -o pytorch_lora_weights.safetensors
        lyco-convert kohya.safetensors --to peft -o folder/
        lyco-convert adapter.safetensors --reader comfyui -o for-comfyui.safetensors
        lyco-convert folder/ --to kohya -o adapter.safetensors
        lyco-convert adapter.safetensors --save_precision bf16 -o smaller.safetensors
        lyco-convert adapter.safetensors --dim 32 -o smaller.safetensors
        lyco-convert adapter.safetensors --set_meta title=Lighthouse --overwrite
        lyco-convert a.safetensors b.safetensors --ratio 0.7 0.3 \\
          -o both.safetensors
        lyco-convert run-*.safetensors --sigma_rel 0.2 -o averaged.safetensors
        lyco-convert one.safetensors two.safetensors --ratio 0.5 0.5 \\
          -o checkpoint.safetensors

      EXIT STATUS
        0 done, 1 the work failed, 64 wrong usage, 130 interrupted
      """,
    version: Suite.version)

  static let options = OptionTable.convert
  static let normalization = ArgumentNormalization(
    of: options, wordLists: ["prune": Set(PrunedPart.allCases.map(\.rawValue))],
    positionals: ["model", "models", "src", "src_path", "input"],
    ignored: KohyaOptions.ignored)

  @Argument(
    help: "Adapters or checkpoints: files, or folders of PEFT and diffusers.", completion: .file())
  var inputs: [String]

  @Option(
    name: [
      .customShort("o"), .customLong("output"), .customLong("save_to"), .customLong("dst"),
      .customLong("dst_path"), .customLong("output_file"),
    ],
    help: ArgumentHelp(
      """
      The file to write, a folder for PEFT. Ending in / or being a folder it takes every input converted by \
      itself, as --output_dir does, unless --combine or --ratio make them one.
      """, valueName: "path"),
    completion: .file())
  var output: String?

  @OptionGroup(title: "Format") var format: FormatOptions
  @OptionGroup(title: "Format") var reader: ReaderOptions
  @OptionGroup(title: "Format") var beginnings: InitialAdapterOptions
  @OptionGroup(title: "Strength") var strength: StrengthOptions
  @OptionGroup(title: "Combination") var combination: CombinationOptions
  @OptionGroup(title: "Algorithm and rank") var rank: ResizeOptions
  @OptionGroup(title: "Post-hoc EMA") var movingAverage: MovingAverageOptions
  @OptionGroup(title: "Number format") var storage: StorageOptions
  @OptionGroup(title: "Checkpoints") var arithmetic: CheckpointArithmeticOptions
  @OptionGroup(title: "Bundles") var bundle: BundleOptions
  @OptionGroup(title: "Folders") var folder: FolderOptions
  @OptionGroup(title: "Metadata") var metadata: MetadataOptions
  @OptionGroup(title: "Family") var family: FamilyOptions
  @OptionGroup(title: "Job") var job: JobOptions

  func validate() throws {
    guard (target == nil) != (folder.output == nil) || target == nil && job.isDryRun else {
      throw ValidationError(
        "expected one of '-o' for a file and '--output_dir' for one output of every input, found "
          + (target == nil ? "none" : "both"))
    }
    guard !movingAverage.isWanted || folder.output == nil else {
      throw ValidationError(
        "'--ema' makes one file of all inputs: expected '-o', found '--output_dir'")
    }
    if folder.output == nil, outputFolder == nil, folder.isRecursive {
      throw ValidationError("'--recursive': expected '--output_dir' with it")
    }
    try strength.check(adapterCount: outputFolder == nil ? inputs.count : 1)
  }

  /// What is to be done follows from what the inputs are.
  func work(_ given: GivenOptions) async throws {
    let makesSeveral = outputFolder != nil || rank.unit != nil
    try await StandardOutput.asList(job.asJSON && makesSeveral) { try await convert(given) }
  }

  private func convert(_ given: GivenOptions) async throws {
    let threads = job.prepareThreads()
    let paths = inputs.map { FilePath(named: $0) }
    if movingAverage.isWanted {
      return try await movingAverage.run(
        paths, output: FilePath(named: target ?? ""), job: job, threads: threads)
    }
    guard let folderTarget = outputFolder else {
      let place = try self.place(target ?? "", for: paths)
      let places = try job.prepare([place] + sidePlaces, reading: paths + beginnings.paths)
      defer { withExtendedLifetime(places) {} }
      return try await convert(paths, to: place.path, given, threads)
    }
    let places = try job.prepare(
      [(FilePath(named: folderTarget), .folder)] + sidePlaces, reading: paths)
    defer { withExtendedLifetime(places) {} }
    let folderJob = FolderJob(
      inputs: paths, output: FilePath(named: folderTarget), options: folder, job: job,
      format: writtenFormat)
    try await folderJob.run { try await convert([$0], to: $1, given, threads) }
  }

  /// The one output: a single input is changed in place by `--overwrite` alone.
  private var target: String? {
    let isInPlace = folder.output == nil && job.overwrites && inputs.count == 1
    return output ?? (isInPlace ? inputs[0] : nil)
  }

  /// The folder that every input is converted into by itself; nil where there is one output.
  private var outputFolder: String? {
    if let folder = folder.output { return folder }
    guard let output = target, !movingAverage.isWanted,
      output.hasSuffix("/") || FilePath(named: output).kind == .folder
    else { return nil }
    let makesOne = combination.method != nil || combination.concatenates || strength.isGiven
    guard inputs.count == 1 else { return makesOne ? nil : output }
    // A folder that is one adapter or one model becomes one; so does what is written for PEFT.
    let isOne = writtenFormat == .peft || FolderInputs.isModel(FilePath(named: inputs[0]))
    return isOne ? nil : output
  }

  /// What is known of the format before inputs are read.
  private var writtenFormat: AdapterFormat? {
    format.format ?? reader.reader?.format(for: family.family)
  }

  /// Where the one output goes.
  private func place(
    _ output: String, for inputs: [FilePath]
  ) throws -> (path: FilePath, kind: OutputPlace.Kind) {
    let path = FilePath(named: output)
    let isFolder = output.hasSuffix("/") || path.kind == .folder
    if writtenFormat == .peft || (isFolder && FolderInputs.isModel(inputs[0])) {
      let isFile = path.lastComponent?.string == AdapterFormat.peftModelName
      return (path, isFile ? .tensors : .folder)
    }
    return try JobOptions.place(output, base: inputs[0])
  }

  /// What is written beside the output.
  private var sidePlaces: [(path: FilePath, kind: OutputPlace.Kind)] {
    (rank.report.map { [(FilePath(named: $0), .text)] } ?? [])
      + (bundle.unpackedFolder.map { [(FilePath(named: $0), .folder)] } ?? [])
  }

  private func convert(
    _ inputs: [FilePath], to output: FilePath, _ given: GivenOptions, _ threads: Int
  ) async throws {
    let files = try inputs.map { try TensorFile(opening: $0) }
    let areCheckpoints = files.map(\.isCheckpoint)
    if Set(areCheckpoints).count > 1, let index = areCheckpoints.firstIndex(of: true) {
      throw ValidationError(
        "\(files[index].path): expected an adapter like other inputs, found a checkpoint; lyco-merge "
          + "puts adapters into one")
    }
    try given.check(Self.facts(files))
    if areCheckpoints[0] {
      return try await checkpointJob(threads: threads).run(files, writing: output)
    }
    let embeddings = try bundle.unpackedFolder.map { _ in try EmbeddingBundle.embeddings(in: files)
    }
    try await adapterJob(files, threads: threads).run(files, writing: output)
    guard let embeddings, let folder = bundle.unpackedFolder, !job.isDryRun else { return }
    try LateFailure.after(output) {
      try EmbeddingBundle.write(embeddings, to: FilePath(named: folder))
    }
    guard !job.quiet && !job.asJSON else { return }
    StandardOutput.say(
      "\(folder): \(embeddings.keys.sorted().map { $0 + ".safetensors" }.joined(separator: ", "))"
    )
  }

  /// What the inputs, which are all of one kind, tell of which options are read.
  private static func facts(_ files: [TensorFile]) -> [InputFact] {
    let kind = files[0].isCheckpoint ? "checkpoint" : "adapter"
    return [
      InputFact("input", kind, found: "\(files[0].path), which is \(InputFact.text(kind))"),
      InputFact(
        "inputs", files.count > 1 ? "several" : "one", found: "\(files[0].path) alone"),
    ]
  }

  private func checkpointJob(threads: Int) throws -> CheckpointJob {
    CheckpointJob(
      settings: CheckpointConversionSettings(
        storage: storage.precision, pruned: Set(arithmetic.pruned.joined()),
        extractsAverages: arithmetic.extractsAverages,
        arithmetic: try arithmetic.arithmetic(strength), metadata: metadata.policy,
        addedMetadata: metadata.entries.added, threads: threads, shardSize: storage.shards.bytes),
      family: family.family, job: job)
  }

  private func adapterJob(_ files: [TensorFile], threads: Int) throws -> AdapterJob {
    var settings = AdapterConversionSettings(
      format: format.format, source: format.source, family: family.family, alpha: format.alpha,
      storage: try storage.adapterFormat(), metadata: metadata.policy,
      addedMetadata: metadata.entries.added, isLenient: format.isLenient, threads: threads)
    settings.reader = reader.reader
    settings.bundle = try bundle.bundle()
    return AdapterJob(
      settings: settings, strength: strength, combination: combination, rank: rank,
      base: format.base.map { FilePath(named: $0) }, initial: beginnings.paths, job: job,
      subject: outputFolder == nil ? nil : files[0].path)
  }

  static func main() async { await start() }
}
