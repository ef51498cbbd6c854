/// An optimizer as `--optimizer_type` and `--optimizer_args` name it.
package struct OptimizerChoice {
  /// Its class in Python, for metadata: `torch.optim.adamw.AdamW`.
  package let className: String
  /// The arguments as metadata has them: `weight_decay=0.1,betas=(0.9, 0.99)`.
  package let arguments: String
  /// What differs from what the name promises, one line each.
  package let notices: [String]
  package let optimizer: any Optimizer

  /// What a known name stands for.
  private struct Entry {
    let name: String
    let className: String
    var notice: String?
    let make: (inout KeyedArguments) throws(SettingError) -> any Optimizer

    init(
      _ name: String, _ className: String, notice: String? = nil,
      _ make: @escaping (inout KeyedArguments) throws(SettingError) -> any Optimizer
    ) {
      self.name = name
      self.className = className
      self.notice = notice
      self.make = make
    }
  }

  /// Packages from which a class may be named by its path.
  private static let packages = [
    "torch", "bitsandbytes", "transformers", "lion_pytorch", "prodigyopt", "dadaptation",
    "schedulefree", "came_pytorch", "pytorch_optimizer", "loraeasycustomoptimizer",
  ]

  /// Names that exist elsewhere and not here.
  private static let absent: Set<String> = [
    "dadaptadagrad", "dadaptadan", "dadaptadanip", "adagrad", "adamax", "rmsprop", "nadam", "radam",
    "lbfgs", "adadelta", "asgd", "rprop", "sparseadam", "muon", "lamb", "lars", "ademamix",
    "ademamix8bit", "pagedademamix8bit", "adagrad8bit", "lamb8bit", "lars8bit", "rmsprop8bit",
    "stableadamw", "adamw4bit", "adan", "ranger", "ranger21", "prodigyplusschedulefree", "sophiah",
    "tiger", "compass", "fftdescent", "adopt", "adammini", "galore", "soap", "grokfast",
  ]

  private static var entries: [Entry] {
    typealias Make = (inout KeyedArguments) throws(SettingError) -> any Optimizer
    let adamW: Make = { (a) throws(SettingError) in try AdamW(&a) }
    let adamW8bit: Make = { (a) throws(SettingError) in try AdamW8bit(&a) }
    let lion: Make = { (a) throws(SettingError) in try Lion(&a) }
    let nesterov: Make = { (a) throws(SettingError) in try SGD(&a, isNesterov: true) }
    let dAdapt: Make = { (a) throws(SettingError) in try DAdaptAdam(&a) }
    let fullState = "the optimizer's state is kept in 32 bits"
    let published = "taken for DAdaptAdam, the method as it was published later"
    let pages = "bitsandbytes.optim.adamw."
    return [
      Entry("AdamW", "torch.optim.adamw.AdamW", adamW),
      Entry("Adam", "torch.optim.adam.Adam") { (a) throws(SettingError) in
        try AdamW(&a, isDecoupled: false)
      },
      Entry("AdamW8bit", pages + "AdamW8bit", adamW8bit),
      Entry("PagedAdamW8bit", pages + "PagedAdamW8bit", adamW8bit),
      Entry("PagedAdamW", pages + "PagedAdamW", adamW),
      Entry("PagedAdamW32bit", pages + "PagedAdamW32bit", adamW),
      Entry("AdamW32bit", pages + "AdamW32bit", adamW),
      Entry("Lion", "lion_pytorch.lion_pytorch.Lion", lion),
      Entry("Lion8bit", "bitsandbytes.optim.lion.Lion8bit", notice: fullState, lion),
      Entry("PagedLion8bit", "bitsandbytes.optim.lion.PagedLion8bit", notice: fullState, lion),
      Entry("SGD", "torch.optim.sgd.SGD") { (a) throws(SettingError) in
        try SGD(&a, isNesterov: false)
      },
      Entry("SGDNesterov", "torch.optim.sgd.SGD", nesterov),
      Entry("SGDNesterov8bit", "bitsandbytes.optim.sgd.SGD8bit", notice: fullState, nesterov),
      Entry("Adafactor", "transformers.optimization.Adafactor") { (a) throws(SettingError) in
        try Adafactor(&a)
      },
      Entry("Prodigy", "prodigyopt.prodigy.Prodigy") { (a) throws(SettingError) in try Prodigy(&a)
      },
      Entry("DAdaptAdam", "dadaptation.dadapt_adam.DAdaptAdam", dAdapt),
      Entry(
        "DAdaptation", "dadaptation.experimental.dadapt_adam_preprint.DAdaptAdamPreprint",
        notice: published, dAdapt),
      Entry(
        "DAdaptAdamPreprint", "dadaptation.experimental.dadapt_adam_preprint.DAdaptAdamPreprint",
        notice: published, dAdapt),
      Entry("DAdaptLion", "dadaptation.dadapt_lion.DAdaptLion") { (a) throws(SettingError) in
        try DAdaptLion(&a)
      },
      Entry("DAdaptSGD", "dadaptation.dadapt_sgd.DAdaptSGD") { (a) throws(SettingError) in
        try DAdaptSGD(&a)
      },
      Entry("AdamWScheduleFree", "schedulefree.adamw_schedulefree.AdamWScheduleFree") {
        (a) throws(SettingError) in try ScheduleFree(.adamW, &a)
      },
      Entry("RAdamScheduleFree", "schedulefree.radam_schedulefree.RAdamScheduleFree") {
        (a) throws(SettingError) in try ScheduleFree(.rectifiedAdam(waits: true), &a)
      },
      Entry("SGDScheduleFree", "schedulefree.sgd_schedulefree.SGDScheduleFree") {
        (a) throws(SettingError) in try ScheduleFree(.descent, &a)
      },
      Entry("CAME", "came_pytorch.CAME.CAME") { (a) throws(SettingError) in try CAME(&a) },
    ]
  }

  /// - Parameters:
  ///   - name: in any case, or a class by its path, as `torch.optim.AdamW`; empty for AdamW
  ///   - arguments: `key=value`, values as Python writes them
  /// - Throws: `SettingError`
  package init(named name: String, arguments: [String] = []) throws(SettingError) {
    let path = name.split(separator: ".").map(String.init)
    let entries = Self.entries
    let wanted = (path.last ?? "AdamW").lowercased()
    if path.count > 1, !Self.packages.contains(path[0].lowercased()) {
      throw .name(option: "--optimizer_type", found: name, known: entries.map(\.name))
    }
    guard let entry = entries.first(where: { $0.name.lowercased() == wanted }) else {
      if Self.absent.contains(wanted) {
        throw .value(
          option: "--optimizer_type",
          expected: "one of \(entries.map(\.name).joined(separator: ", "))",
          found: "'\(name)', which is not built in")
      }
      throw .name(option: "--optimizer_type", found: name, known: entries.map(\.name))
    }
    var values = try KeyedArguments(
      parsing: arguments, option: "--optimizer_args", subject: entry.name)
    optimizer = try entry.make(&values)
    try values.finish()
    className = entry.className
    self.arguments = values.texts.joined(separator: ",")
    notices = entry.notice.map { ["\(entry.name): \($0)"] } ?? []
  }
}
